// SPDX-License-Identifier: GPL-3.0-or-later

package consulcatalog

import "github.com/traefik/traefik/v3/pkg/provider/absent"

const ProviderName = "consulcatalog"

type ProviderBuilder = absent.Builder
