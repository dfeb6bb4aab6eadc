package conf

import (
	"fmt"
	"strings"
	"unicode"
)

// name is the name of an instance, group, service or server. Status lines, script
// arguments and "service/server" contain it, so it must not have blanks or
// slashes.
var name = textual("a name", checkName, func(s string) string { return s })

// CheckName says why a text cannot be a name, such as that of the director.
func CheckName(s string) error {
	_, err := checkName(s)
	return err
}

func checkName(s string) (string, error) {
	const limit = 64
	switch {
	case s == "":
		return "", fmt.Errorf("must not be empty")
	case len(s) > limit:
		return "", fmt.Errorf("must have at most %d characters, not %d", limit, len(s))
	case strings.HasPrefix(s, "-"):
		return "", fmt.Errorf("must not begin with a hyphen")
	}
	for _, r := range s {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("-_.:[]@", r) {
			return "", fmt.Errorf("must not contain %q: letters, digits and -_.:[]@ are allowed", r)
		}
	}
	return s, nil
}

// maxInterfaceName is IFNAMSIZ of the kernel without the final zero.
const maxInterfaceName = 15

// interfaceName is the name of an interface that holdfast uses.
var interfaceName = textual("the name of an interface", func(s string) (string, error) {
	switch {
	case s == "" || s == "." || s == ".." || strings.ContainsAny(s, "/: \t\n\v\f\r"): // dev_valid_name
		return "", fmt.Errorf("%s is not the name of an interface", quoteShort(s))
	case len(s) > maxInterfaceName:
		return "", fmt.Errorf("%s is too long: the name of an interface has at most %d characters", quoteShort(s), maxInterfaceName)
	}
	return s, nil
}, func(s string) string { return s })

// deviceName is the name of an interface that holdfast creates. It must not have
// a dot, because tools read that as a level of net.ipv4.conf.NAME.
var deviceName = textual("the name of a device", func(s string) (string, error) {
	if strings.Contains(s, ".") {
		return "", fmt.Errorf("%s must not contain a dot", quoteShort(s))
	}
	return interfaceName.decodeText(s)
}, func(s string) string { return s })

// decodeText decodes s like a string in the file.
func (c codec[T]) decodeText(s string) (got T, err error) {
	got, _ = c.decode(value{data: s}, func(_ value, message string) { err = fmt.Errorf("%s", message) })
	return got, err
}
