package event

import "encoding/json"

// A Whole is an Event whose JSON form has everything, also what that of an Event leaves
// out. It is for a binary that goes on with the work of another.
type Whole Event

// wholeForm is the JSON form of a Whole: that of its Event, and the rest beside it.
type wholeForm struct {
	*Event
	Instance     *Instance  `json:"instance,omitempty"`
	Group        *Group     `json:"group,omitempty"`
	Service      *Service   `json:"service,omitempty"`
	NotJournaled bool       `json:"not_journaled,omitempty"`
	More         *alertRest `json:"alert_rest,omitempty"`
}

// alertRest is what the JSON form of an Alert leaves out. Down and Up have the Run of each
// entry.
type alertRest struct {
	Text    string `json:"text,omitempty"`
	Call    string `json:"call,omitempty"`
	By      string `json:"by,omitempty"`
	Comment string `json:"comment,omitempty"`
	Down    []*Run `json:"down,omitempty"`
	Up      []*Run `json:"up,omitempty"`
}

// MarshalJSON implements json.Marshaler.
func (w Whole) MarshalJSON() ([]byte, error) {
	e := Event(w)
	form := wholeForm{Event: &e, Instance: e.Instance, Group: e.Group, Service: e.Service, NotJournaled: e.NotJournaled}
	if a := e.Alert; a != nil {
		form.More = &alertRest{Text: a.Text, Call: a.Call, By: a.By, Comment: a.Comment, Down: runsOf(a.Down), Up: runsOf(a.Up)}
	}
	return json.Marshal(form)
}

// UnmarshalJSON implements json.Unmarshaler.
func (w *Whole) UnmarshalJSON(b []byte) error {
	form := wholeForm{Event: (*Event)(w)}
	if err := json.Unmarshal(b, &form); err != nil {
		return err
	}
	w.Instance, w.Group, w.Service, w.NotJournaled = form.Instance, form.Group, form.Service, form.NotJournaled
	if a, rest := w.Alert, form.More; a != nil && rest != nil {
		a.Text, a.Call, a.By, a.Comment = rest.Text, rest.Call, rest.By, rest.Comment
		setRuns(a.Down, rest.Down)
		setRuns(a.Up, rest.Up)
	}
	return nil
}

func runsOf(all []AlertEntry) []*Run {
	runs := make([]*Run, len(all))
	for i := range all {
		runs[i] = all[i].Run
	}
	return runs
}

func setRuns(all []AlertEntry, runs []*Run) {
	for i := range min(len(all), len(runs)) {
		all[i].Run = runs[i]
	}
}
