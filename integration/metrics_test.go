package integration_test

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"holdfast/integration/lab"
	"holdfast/integration/tools"
)

// Two directors are scraped by the control socket and over TCP: they say who is MASTER,
// their adverts are counted, and promtool has nothing to say of the text.
func TestMetrics(t *testing.T) {
	t.Parallel()
	p := lab.NewPair(t, 2)
	var daemons []*lab.Daemon
	for i, host := range p.Directors {
		daemons = append(daemons, host.Holdfast(lab.Director{Priority: 200 - 50*i, Interval: 100 * time.Millisecond, More: fmt.Sprintf(`
[metrics]
keepalived_names = true
[[listen]]
address = "192.168.0.%d:9650"
`, i+2)}.TOML()))
		daemons[i].AwaitState(t, []string{"MASTER", "BACKUP"}[i])
	}
	socket := filepath.Join(daemons[0].RuntimeDir(), "control.sock")
	var text, other string
	lab.Wait(t, 5*time.Second, "adverts in the metrics of both", func() (string, bool) {
		text = p.Directors[0].Run("curl", "-sf", "--unix-socket", socket, "http://holdfast/metrics")
		other = p.Directors[1].Run("curl", "-sf", "http://192.168.0.3:9650/metrics")
		// The first advert of a MASTER is not one that its timer sent.
		timed, received := sample(text, "holdfast_advert_lateness_seconds_count"), sample(other, `holdfast_vrrp_adverts_received_total{vrrp="outside"}`)
		return fmt.Sprint(timed, received), timed > 0 && received > 0
	})
	for _, want := range []struct {
		text, sample string
		least, most  float64
	}{
		{text, `holdfast_vrrp_state{vrrp="outside",state="MASTER"}`, 1, 1},
		{text, `keepalived_vrrp_state{iname="outside",intf="vrrp4-51",vrid="51",ip_address="` + lab.VIP + `/24"}`, 2, 2},
		{text, `holdfast_vrrp_transitions_total{vrrp="outside",from="BACKUP",to="MASTER"}`, 1, 1},
		{text, `holdfast_vrrp_adverts_sent_total{vrrp="outside"}`, 1, 1e6},
		{text, `holdfast_vrrp_announcements_sent_total{vrrp="outside"}`, 1, 1e6},
		{text, `holdfast_advert_lateness_seconds_count`, 1, 1e6},
		{text, `holdfast_vrrp_adverts_dropped_total{vrrp="outside",reason="auth"}`, -1, -1},
		{text, `process_resident_memory_bytes`, 1e6, 1e9},
		{other, `holdfast_vrrp_state{vrrp="outside",state="MASTER"}`, 0, 0},
		{other, `holdfast_vrrp_state{vrrp="outside",state="BACKUP"}`, 1, 1},
		{other, `holdfast_vrrp_adverts_received_total{vrrp="outside"}`, 1, 1e6},
	} {
		if got := sample(want.text, want.sample); got < want.least || got > want.most {
			t.Errorf("%s is %v, want %v to %v", want.sample, got, want.least, want.most)
		}
	}
	promtool, err := tools.Find("promtool")
	if err != nil {
		tools.Without(t, "netns", err)
	}
	for _, text := range []string{text, other} {
		c := exec.Command(promtool, "check", "metrics")
		c.Stdin = strings.NewReader(withoutKeepalived(text))
		if out, err := c.CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("promtool check metrics: %v\n%s", err, out)
		}
	}
}

// sample returns the value of a sample in the text format; -1 without it.
func sample(text, name string) float64 {
	found := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(name) + ` (\S+)$`).FindStringSubmatch(text)
	if found == nil {
		return -1
	}
	v, err := strconv.ParseFloat(found[1], 64)
	if err != nil {
		return -1
	}
	return v
}

var keepalivedLines = regexp.MustCompile(`(?m)^(# \w+ )?keepalived_.*\n`)

// withoutKeepalived leaves out what has the names of another program.
func withoutKeepalived(text string) string { return keepalivedLines.ReplaceAllString(text, "") }
