// Package parents has no code: its tests run the built daemon above kinds of
// interfaces that not every kernel has, as VLANs, bonds and VRFs, on this kernel
// or in User Mode Linux.
package parents
