// SPDX-License-Identifier: GPL-3.0-or-later

// Package absent stands for the providers that this build of Traefik leaves out: they can be named,
// and say that they are not there when they are switched on.
package absent

import (
	"errors"

	"github.com/traefik/traefik/v3/pkg/config/dynamic"
	"github.com/traefik/traefik/v3/pkg/safe"
)

var errAbsent = errors.New("left out of this build")

// Provider cannot be started.
type Provider struct{}

func (*Provider) Init() error { return errAbsent }

func (*Provider) Provide(chan<- dynamic.Message, *safe.Pool) error { return errAbsent }

// Builder stands for a configuration that makes several providers, one per namespace.
type Builder struct{}

func (*Builder) BuildProviders() []*Provider { return []*Provider{{}} }
