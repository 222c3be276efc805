// SPDX-License-Identifier: GPL-3.0-or-later

package docker

import (
	ptypes "github.com/traefik/paerser/types"
	"github.com/traefik/traefik/v3/pkg/provider/absent"
)

const (
	DockerName = "docker"
	SwarmName  = "swarm"
)

type Provider struct {
	absent.Provider

	HTTPClientTimeout ptypes.Duration
}

type SwarmProvider struct {
	absent.Provider

	HTTPClientTimeout ptypes.Duration
	RefreshSeconds    ptypes.Duration
}
