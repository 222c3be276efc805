// SPDX-License-Identifier: GPL-3.0-or-later

// Package acme cannot issue certificates: the clients of all the DNS hosters that it supports are
// half of Traefik's code. What is left is what the rest of Traefik names.
package acme

import (
	"context"
	"net/http"

	"github.com/go-acme/lego/v5/challenge"
	ptypes "github.com/traefik/paerser/types"
	"github.com/traefik/traefik/v3/pkg/config/dynamic"
	"github.com/traefik/traefik/v3/pkg/provider/absent"
	"github.com/traefik/traefik/v3/pkg/safe"
	"github.com/traefik/traefik/v3/pkg/tls"
)

type Configuration struct {
	CAServer             string
	CertificatesDuration int
	DNSChallenge         *DNSChallenge
	Email                string
	HTTPChallenge        *HTTPChallenge
	Storage              string
	TLSChallenge         *TLSChallenge
}

type DNSChallenge struct {
	DelayBeforeCheck        ptypes.Duration
	DisablePropagationCheck bool
	Propagation             *Propagation
	Provider                string
}

type Propagation struct {
	DelayBeforeChecks ptypes.Duration
	DisableChecks     bool
}

type HTTPChallenge struct{ EntryPoint string }

type TLSChallenge struct{}

type LocalStore struct{}

func NewLocalStore(string, *safe.Pool) *LocalStore { return &LocalStore{} }

// Provider is refused by Init, so that a configured resolver is reported as skipped.
type Provider struct {
	*Configuration
	absent.Provider

	HTTPChallengeProvider challenge.Provider
	ResolverName          string
	Store                 *LocalStore
	TLSChallengeProvider  challenge.Provider
}

func (*Provider) ListenConfiguration(dynamic.Configuration) {}

func (*Provider) SetConfigListenerChan(chan dynamic.Configuration) {}

func (*Provider) SetTLSManager(*tls.Manager) {}

// Nothing answers no challenge. It has an exported name because Traefik copies its providers by
// reflection, to log them.
type Nothing struct{}

func (Nothing) Present(context.Context, string, string, string) error { return nil }

func (Nothing) CleanUp(context.Context, string, string, string) error { return nil }

// ChallengeHTTP has no challenge to answer.
type ChallengeHTTP struct{ Nothing }

func NewChallengeHTTP() *ChallengeHTTP { return &ChallengeHTTP{} }

func (*ChallengeHTTP) ServeHTTP(response http.ResponseWriter, request *http.Request) {
	http.NotFound(response, request)
}

// ChallengeTLSALPN is started with every Traefik and therefore has to start well.
type ChallengeTLSALPN struct{ Nothing }

func NewChallengeTLSALPN() *ChallengeTLSALPN { return &ChallengeTLSALPN{} }

func (*ChallengeTLSALPN) Init() error { return nil }

func (*ChallengeTLSALPN) ListenConfiguration(dynamic.Configuration) {}

func (*ChallengeTLSALPN) Provide(chan<- dynamic.Message, *safe.Pool) error { return nil }
