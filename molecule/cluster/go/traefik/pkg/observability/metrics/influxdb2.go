// SPDX-License-Identifier: GPL-3.0-or-later

package metrics

import (
	"context"

	"github.com/rs/zerolog/log"
	"github.com/traefik/traefik/v3/pkg/observability/types"
)

// RegisterInfluxDB2 says that InfluxDB is left out of this build.
func RegisterInfluxDB2(ctx context.Context, _ *types.InfluxDB2) Registry {
	log.Ctx(ctx).Error().Msg("InfluxDB is left out of this build")
	return nil
}

func StopInfluxDB2() {}
