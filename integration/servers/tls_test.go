package servers_test

// otherCA is the line of a check that trusts the CAs of the host, which did not make
// the certificate of a machine.
const otherCA = "tls = { server_name = \"" + serverName + "\" }\n"
