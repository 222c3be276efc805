// SPDX-License-Identifier: GPL-3.0-or-later

package knative

import "github.com/traefik/traefik/v3/pkg/provider/absent"

const ProviderName = "knative"

type Provider = absent.Provider
