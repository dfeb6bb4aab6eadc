// Package packages tests the packages as they are used: dpkg installs them in a clean
// Debian root, in which a real systemd runs the daemon.
package packages
