# SPDX-License-Identifier: Apache-2.0
"""What `bed` is made of: `ground` (what every service uses), `service` (what a service is), and the services."""
