package servers_test

import "testing"

// Mosquitto with a user ann, whose password is right.
func TestMosquitto(t *testing.T) {
	m := newMachine(t)
	tls := m.certify()
	m.users("mosquitto")
	m.file("/etc/mosquitto.conf", "allow_anonymous false\npassword_file /etc/mosquitto.users\n"+
		"listener 1883 ADDRESS\nlistener 8883 ADDRESS\ncertfile "+certFile+"\nkeyfile "+keyFile+"\n", 0o644)
	m.script("mosquitto_passwd -b -c /etc/mosquitto.users ann right", "chown mosquitto /etc/mosquitto.users "+keyFile,
		"exec mosquitto -c /etc/mosquitto.conf")
	m.listens(1883, 8883)
	const mqtt, five, ann, secure = "type = \"mqtt\"\n", "version = \"5\"\n", "user = \"ann\"\n", "port = 8883\nuse_tls = true\n"
	right, wrong := ann+m.password("right"), ann+m.password("wrong")
	m.prove(1883,
		check{name: "3.1.1", keys: mqtt + right},
		check{name: "5", keys: mqtt + five + right},
		check{name: "a client id", keys: mqtt + "client_id = \"holdfast-lvs1\"\n" + right},
		check{name: "over TLS", keys: mqtt + secure + right + tls},
		check{name: "a wrong password", keys: mqtt + wrong, reason: "login: not authorized"},
		check{name: "a wrong password in 5", keys: mqtt + five + wrong, reason: "login: not authorized"},
		check{name: "nobody", keys: mqtt, reason: "login: not authorized"},
		check{name: "TLS with another CA", keys: mqtt + secure + right + otherCA, reason: "TLS: certificate signed by unknown authority"},
	)
}
