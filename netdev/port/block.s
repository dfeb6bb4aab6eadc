//go:build go1.26 && !go1.27 && !plainwait

// Functions without a body need an assembly file beside them.
