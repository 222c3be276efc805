# SPDX-License-Identifier: GPL-3.0-or-later
"""Every version and digest that the local cluster is made of.

The Go modules under ``go/`` have to repeat some of them in their go.mod; a unit test holds the two
together.
"""

from __future__ import annotations

KUBERNETES = "1.34.4"
ETCD = "3.6.7"
# From 1.14.2 on CoreDNS needs a newer client-go than this Kubernetes has.
COREDNS = "1.14.1"
LOCAL_PATH_PROVISIONER = "0.0.30"
OAUTH2_PROXY = "7.15.3"
KEYCLOAK = "26.4.2"
# Of the zip that Maven gives.
KEYCLOAK_SHA256 = "2a30e4602d63d4501a4a8263bfa4e14cbd5970b4116c618ea28f339b16190233"
MAVEN_DEPENDENCY_PLUGIN = "3.8.1"
# 3.7.11 pins a fork of go-http-auth that the public module proxy refuses.
TRAEFIK = "3.7.10"
TRAEFIK_SUM = "h1:M1nA8OnQy59LqfDtEpsmXfAtth9NrmXdC2i+miAWgI4="
# Has to be the version in Traefik's go.mod: with older CRDs every HTTPRoute answers 404.
GATEWAY_API = "1.6.1"
GATEWAY_API_SUM = "h1:mock6phZbI6rvZerwrVNk7hVNymQgHo+6sJ81Ia7ftY="
# The last one whose module holds the definition of Routes.
OPENSHIFT_API = "0.0.0-20240830023148-b7d0481c9094"
OPENSHIFT_API_SUM = "h1:J1wuGhVxpsHykZBa6Beb1gQ96Ptej9AE/BvwCBiRj1E="
PAUSE = "1.0"
# Judges the roles' manifests in the unit tests.
KUBE_SCORE = "1.20.0"
KUBE_SCORE_SUM = "h1:J1VqK86SunV4Gg8emPTmwUVxe0rmXnAs5K9ZUbGMKR8="

# What a build from nothing takes in each place, in GiB, rounded up.
BUILD_DISK_GIB = {"GOMODCACHE": 2.0, "GOCACHE": 4.5, "cache": 1.5}

DEBIAN_SUITE = "trixie"
DEBIAN_MIRROR = "http://deb.debian.org/debian"
# Raise it to have the Debian images built anew (debootstrap takes what the mirror has today).
DEBIAN_BUILD = "1"

# What debian.py calls; busybox-static is only downloaded, by itself.
DEBIAN_PACKAGES_IMAGES = ("debootstrap", "debian-archive-keyring")

# Nothing answers under this name: the kubelet must find the images imported, not pull them.
IMAGE_PREFIX = "thinkube.test"

# Short name (the key of images.ensure()) -> full reference inside the archive.
IMAGES = {
    "pause": f"{IMAGE_PREFIX}/pause:{PAUSE}",
    "coredns": f"{IMAGE_PREFIX}/coredns:{COREDNS}",
    "traefik": f"{IMAGE_PREFIX}/traefik:{TRAEFIK}",
    "local-path": f"{IMAGE_PREFIX}/local-path-provisioner:{LOCAL_PATH_PROVISIONER}",
    "oauth2-proxy": f"{IMAGE_PREFIX}/oauth2-proxy:{OAUTH2_PROXY}",
    "busybox": f"{IMAGE_PREFIX}/busybox:static",
    "debian": f"{IMAGE_PREFIX}/debian:{DEBIAN_SUITE}-slim",
    "valkey": f"{IMAGE_PREFIX}/valkey:{DEBIAN_SUITE}",
}
