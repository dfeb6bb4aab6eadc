package conf

func (m *Metrics) visit(t *table) {
	field(t, "keepalived_names", &m.KeepalivedNames, boolean, false)
}
