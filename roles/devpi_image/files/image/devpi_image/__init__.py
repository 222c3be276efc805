# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs as process 1 in the devpi image: decide (`resolve`), then act (`cli`).

It needs the standard library only, so that it can be tested without the image.
"""
