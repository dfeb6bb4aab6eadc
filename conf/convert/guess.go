package convert

import "regexp"

// kinds has what only the files of one program have, the clearest first.
var kinds = []struct {
	from string
	sign func() *regexp.Regexp
}{
	{"keepalived", Pattern(`(?m)^\s*(@\S+\s+)?(vrrp_instance\s|virtual_server(_group)?\s|global_defs\s*(\{|$)|vrrp_sync_group\s|vrrp_script\s)`)},
	{"ipvsadm", Pattern(`(?m)^\s*(\S*ipvsadm\s+)?(-A|-a|--add-service|--add-server)\s+(-[tuf]|--(tcp|udp|sctp|fwmark)-service)\b`)},
	{"ldirectord", Pattern(`(?m)^(virtual|virtual6)\s*=`)},
	{"mon", Pattern(`(?m)^\s*((watch|hostgroup)\s+[\w.-]+|(command|trap)\s+section\s*$)`)},
	{"heartbeat", Pattern(`(?m)^\s*(deadtime|keepalive|auto_failback|auth)\s+\S`)},
}

// Guess returns the program whose files these are, or "" if that is not clear: every
// file with a sign of any program must have one of the same program.
func Guess(files []File) string {
	from := ""
	for _, f := range files {
		for _, k := range kinds {
			if !k.sign().MatchString(f.Text) {
				continue
			}
			if from != "" && from != k.from {
				return ""
			}
			from = k.from
			break
		}
	}
	return from
}
