package probe

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"testing"
)

func TestPlainAnswer(t *testing.T) {
	const head = "HTTP/1.1 200 OK\r\nDate: x\r\n"
	for text, want := range map[string]plain{
		head + "Content-Length: 3\r\n\r\nok\n":                                     {status: 200, length: 3},
		head + "content-length:0\r\nConnection: Close\r\n\r\n":                     {status: 200, closes: true},
		"HTTP/1.1 503 \r\nContent-Length: 1\r\nConnection: keep-alive\r\n\r\nx":    {status: 503, length: 1},
		head + "Content-Length: 3\r\n\r\nok\nHTTP/1.1 200 OK\r\n":                  {status: 200, length: 3, more: true},
		"HTTP/1.1 401 No\r\nWWW-Authenticate: Digest\r\nContent-Length: 0\r\n\r\n": {status: 401},
	} {
		if got, whole := plainAnswer([]byte(text)); !whole || got != want {
			t.Errorf("%q: %+v, whole %v, want %+v", text, got, whole, want)
		}
	}
	for _, text := range unplain {
		if got, whole := plainAnswer([]byte(text)); whole {
			t.Errorf("%q: %+v is taken for plain", text, got)
		}
	}
}

// unplain are answers that package net/http has to judge.
var unplain = []string{
	"",
	"HTTP/1.1 200 OK\r\n",
	"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok",
	"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n",
	"HTTP/1.1 200 OK\r\n\r\nok",
	"HTTP/1.1 200 OK\nContent-Length: 0\n\n",
	"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
	"HTTP/1.1 100 Continue\r\nContent-Length: 0\r\n\r\n",
	"HTTP/1.1 204 No Content\r\nContent-Length: 1\r\n\r\nx",
	"HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n",
	"HTTP/1.1 +20 OK\r\nContent-Length: 0\r\n\r\n",
	"HTTP/1.1 200 OK\r\nContent-Length: +0\r\n\r\n",
	"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n",
	"HTTP/1.1 200 OK\r\nContent-Length : 0\r\n\r\n",
	"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX: a\r\n b\r\n\r\n",
	"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX: a\x00b\r\n\r\n",
	"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: upgrade\r\n\r\n",
}

// What is taken for plain means the same to package net/http.
func FuzzPlainAnswer(f *testing.F) {
	f.Add([]byte("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 3\r\n\r\nok\n"))
	for _, text := range unplain {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		got, whole := plainAnswer(b)
		if !whole {
			return
		}
		buf := bufio.NewReader(bytes.NewReader(b))
		answer, err := http.ReadResponse(buf, &http.Request{Method: http.MethodGet})
		if err != nil {
			t.Fatalf("net/http refuses it: %v", err)
		}
		defer answer.Body.Close()
		body, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatalf("net/http refuses its body: %v", err)
		}
		rest, _ := io.ReadAll(buf)
		want := plain{status: answer.StatusCode, length: len(body), closes: answer.Close, more: len(rest) > 0}
		if got != want || answer.ContentLength != int64(len(body)) {
			t.Errorf("%+v, want %+v", got, want)
		}
	})
}
