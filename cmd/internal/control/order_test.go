package control

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"testing"
	"time"
)

// An order arrives as it was given, with who gave it; one that cannot be read is
// refused.
func TestOrders(t *testing.T) {
	backend := &fakeBackend{}
	_, client, _ := serve(t, backend, nil)
	for _, o := range []ServerOrder{
		{Verb: Drain, Service: "web", Server: "[fd00::1]:80", For: 90 * time.Second},
		{Verb: Enable, Service: "all", Server: "a&b=c d"},
		{Verb: Weight, Service: "web", Server: "rs1", Weight: 7},
	} {
		done, err := client.Order(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		want := o
		want.By = "root"
		if uid := os.Geteuid(); uid != 0 {
			want.By = fmt.Sprintf("uid %d", uid)
		}
		if backend.order != want || done.Servers[0].Service != o.Service || done.Servers[0].Name != o.Server {
			t.Errorf("%+v arrived as %+v, the answer is %+v", o, backend.order, done)
		}
	}
	for _, path := range []string{"weight?service=a&server=b", "weight?weight=x", "drain?for=soon", "drain?for=-1s", "drain?for=0s"} {
		var refused *RefusedError
		if _, err := ask[Servers](t.Context(), client, http.MethodPost, path); !errors.As(err, &refused) || refused.Code != http.StatusBadRequest {
			t.Errorf("%s: %v", path, err)
		}
	}
}
