// SPDX-License-Identifier: GPL-3.0-or-later

// Package plugins has neither of the two interpreters that run plugins.
package plugins

import (
	"context"
	"errors"
	"net/http"

	"github.com/traefik/traefik/v3/pkg/provider"
)

var errNoPlugins = errors.New("plugins are left out of this build")

type (
	Constructor     func(context.Context, http.Handler) (http.Handler, error)
	Descriptor      struct{}
	LocalDescriptor struct{}
	Builder         struct{}
)

func (*Builder) Build(string, map[string]any, string) (Constructor, error) {
	return nil, errNoPlugins
}

func (*Builder) BuildProvider(string, map[string]any) (provider.Provider, error) {
	return nil, errNoPlugins
}
