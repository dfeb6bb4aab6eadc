package integration_test

import (
	"fmt"
	"os"
	"testing"
	"time"

	"holdfast/integration/lab"
)

// What waits for a server that is away is posted by the new binary, once and in order.
func TestUpgradeKeepsNotifications(t *testing.T) {
	t.Parallel()
	p := lab.NewPair(t, 1)
	key := p.WriteFile("hook.key", "hush\n")
	if err := os.Chmod(key, 0o600); err != nil {
		t.Fatal(err)
	}
	d := p.Directors[0].Holdfast(lab.Director{Priority: 200, Interval: fast, More: `[[notify.webhook]]
name = "hook"
url = "http://` + lab.RouterIP + `:8080/hook"
events = ["group"]
secret_file = "` + key + `"
retry = "100ms"
`}.TOML())
	d.AwaitState(t, "MASTER")
	waits := func(want int) {
		t.Helper()
		lab.Wait(t, 10*time.Second, fmt.Sprint(want, " notifications wait"), func() (string, bool) {
			var s struct {
				Notify []struct {
					Name   string
					Queued int
				}
			}
			err := d.StatusInto(&s)
			return fmt.Sprint(s, err), err == nil && len(s.Notify) == 2 && s.Notify[1].Queued == want
		})
	}
	waits(2)
	obeyed(t, d, "upgrade")
	d.AwaitState(t, "MASTER")
	waits(2)
	hooks := takeHooks(t, p.Router.Listen(lab.RouterIP+":8080"), "hush")
	var got []string
	for range 2 {
		select {
		case e := <-hooks:
			got = append(got, e.Event.From+">"+e.Event.To)
		case <-time.After(20 * time.Second):
			t.Fatalf("the webhook got only %v", got)
		}
	}
	waits(0)
	if fmt.Sprint(got) != "[INIT>BACKUP BACKUP>MASTER]" || len(hooks) > 0 {
		t.Errorf("the webhook got %v and %d more", got, len(hooks))
	}
}
