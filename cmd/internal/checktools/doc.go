// Package checktools has the tools that checks of package checker/probe need from
// this host: [Programs] run the programs of external checks, [Files] read and watch
// files, and [Sessions] know the states of BFD sessions.
package checktools
