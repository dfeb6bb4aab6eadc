package probe

import "strings"

// A Login is who a check says that it is. The zero Login is nobody.
type Login struct {
	User         string
	Password     Secret
	PasswordFile string // the path of the file that held Password
}

// validate notes the faults of l. Many protocols end a name with a zero byte or
// with the end of the line.
func (l *Login) validate(errs *FieldErrors) {
	if l.User == "" && l.Password != "" {
		errs.Addf("password_file", "has no effect without user")
	}
	if strings.ContainsAny(l.User, "\x00\r\n") {
		errs.Addf("user", "must not contain control characters, like %q", l.User)
	}
	if strings.ContainsAny(string(l.Password), "\x00\r\n") {
		errs.Addf("password_file", "the password must be one line of text")
	}
}
