package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"time"
)

// targetsEnv makes this program the servers that are checked, in a process of its own,
// so that their CPU time is not taken for a checker's. Its value is the port that all
// addresses serve, and how many addresses have a listener each on the next port.
const targetsEnv = "BENCH_TARGETS"

// closeEnv makes this program close the listener of an address, and print when.
const closeEnv = "BENCH_CLOSE"

// closer is where the servers are told to close a listener.
const closer = "127.0.0.1:9"

// targets serves until the process is killed.
func targets(spec string) error {
	var port, single int
	if _, err := fmt.Sscanf(spec, "%d %d", &port, &single); err != nil {
		return fmt.Errorf("%s=%q: %w", targetsEnv, spec, err)
	}
	all, err := net.Listen("tcp4", fmt.Sprintf("0.0.0.0:%d", port))
	if err != nil {
		return err
	}
	go answer(all)
	listeners := map[string]net.Listener{}
	for i := range single {
		address := fmt.Sprintf("%s:%d", targetAddress(i), port+1)
		l, err := net.Listen("tcp4", address)
		if err != nil {
			return err
		}
		listeners[address] = l
		go answer(l)
	}
	return obey(listeners)
}

// obey closes the listeners that datagrams name, and answers with the time.
func obey(listeners map[string]net.Listener) error {
	conn, err := net.ListenPacket("udp4", closer)
	if err != nil {
		return err
	}
	buf := make([]byte, 64)
	for {
		n, from, err := conn.ReadFrom(buf)
		if err != nil {
			return err
		}
		l := listeners[string(buf[:n])]
		if l == nil {
			continue
		}
		_ = l.Close() // nothing was written that could be lost
		if _, err := conn.WriteTo(strconv.AppendInt(nil, time.Now().UnixNano(), 10), from); err != nil {
			return err
		}
	}
}

// closeTarget has the listener of an address closed, and prints the time in nanoseconds
// since 1970.
func closeTarget(address string, out io.Writer) error {
	conn, err := net.Dial("udp4", closer)
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, address); err != nil {
		return err
	}
	if err := conn.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return err
	}
	buf := make([]byte, 64)
	n, err := conn.Read(buf)
	if err != nil {
		return err
	}
	_, err = out.Write(buf[:n])
	return err
}

const goodAnswer = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n"

// answer serves short answers, and keeps a connection open for who does not ask for its
// end.
func answer(l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer conn.Close()
			buf := make([]byte, 1024)
			for {
				n, err := conn.Read(buf)
				if err != nil {
					return
				}
				if ends(buf[:n]) {
					_, _ = io.WriteString(conn, goodAnswer+"Connection: close\r\n\r\nok\n")
					return
				}
				_, _ = io.WriteString(conn, goodAnswer+"\r\nok\n")
			}
		}()
	}
}

// ends reports whether a request asks for the end of its connection.
func ends(request []byte) bool {
	return bytes.Contains(request, []byte("Connection: close")) || bytes.Contains(request, []byte("HTTP/1.0"))
}

// targetAddress is the address of a server.
func targetAddress(i int) string { return fmt.Sprintf("127.1.%d.%d", i/250, 1+i%250) }

// other runs this program as what its environment says, and reports whether it did.
func other() (did bool, err error) {
	if spec := os.Getenv(targetsEnv); spec != "" {
		return true, targets(spec)
	}
	if address := os.Getenv(closeEnv); address != "" {
		return true, closeTarget(address, os.Stdout)
	}
	return false, nil
}
