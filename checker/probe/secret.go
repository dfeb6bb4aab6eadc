package probe

import (
	"fmt"
	"log/slog"
)

// masked replaces a Secret wherever one is printed.
const masked = "(secret)"

// A Secret is a password or a private key of a check. Printing, formatting or
// marshalling it gives a placeholder; a conversion to string gives the content.
type Secret string

// String returns a placeholder.
func (Secret) String() string { return masked }

// Format writes a placeholder for every verb.
func (Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(masked)) }

// MarshalText returns a placeholder.
func (Secret) MarshalText() ([]byte, error) { return []byte(masked), nil }

// LogValue returns a placeholder.
func (Secret) LogValue() slog.Value { return slog.StringValue(masked) }
