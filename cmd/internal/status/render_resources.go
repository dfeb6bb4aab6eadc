package status

// resources writes what runs where a group is MASTER.
func (s *Status) resources(b *page) {
	if len(s.Resources) == 0 {
		return
	}
	b.WriteString("\nRESOURCES\n")
	var t table
	t.header("NAME", "GROUP", "TYPE", "STATE", ">FOR", "ACTION", ">LOOKED")
	for i := range s.Resources {
		r := &s.Resources[i]
		action, looked := "-", "-"
		if r.Action != "" {
			action = r.Action
		}
		if !r.LastLook.IsZero() {
			looked = s.ago(r.LastLook) + " ago"
		}
		t.row(r.Name, r.Group, r.Type, r.State, s.ago(r.Since), action, looked)
		t.note(r.Problem)
	}
	t.write(b)
}
