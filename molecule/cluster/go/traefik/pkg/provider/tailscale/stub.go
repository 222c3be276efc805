// SPDX-License-Identifier: GPL-3.0-or-later

package tailscale

import (
	"github.com/traefik/traefik/v3/pkg/config/dynamic"
	"github.com/traefik/traefik/v3/pkg/provider/absent"
)

type Provider struct {
	absent.Provider

	ResolverName string
}

func (*Provider) HandleConfigUpdate(dynamic.Configuration) {}
