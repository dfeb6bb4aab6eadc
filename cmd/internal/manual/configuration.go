package manual

import (
	"fmt"
	"strings"
)

// Configuration returns the page holdfast.toml(5) from the documented configuration file.
func Configuration(reference string, m Meta) string {
	p := newPage("holdfast.toml", 5, m, "configuration of the director daemon holdfast")
	p.request("SH", "DESCRIPTION")
	for _, c := range Chapters(reference) {
		if c.Title != "" {
			p.request("SH", strings.ToUpper(c.Title))
		}
		p.chapter(c)
	}
	p.request("SH", "FILES")
	p.item("%s", "/etc/holdfast/holdfast.toml")
	p.text("The file that is read unless the flag --config names another.")
	p.request("SH", "SEE ALSO")
	p.text("holdfast(8), systemd.exec(5)")
	return p.String()
}

func (p *page) chapter(c Chapter) {
	fresh := true // a paragraph after a headline needs no break
	for _, part := range c.Parts {
		switch {
		case part.Table != "":
			p.request("SS", part.Table)
			fresh = true
			continue
		case part.Key != nil:
			p.key(part.Key)
		case part.Literal != nil:
			p.literal(part.Literal)
		default:
			if !fresh {
				p.request("PP")
			}
			p.text(part.Text...)
		}
		fresh = false
	}
}

func (p *page) key(k *Key) {
	if k.Default {
		p.item("%s = "+verbs(k.Value), k.Name)
	} else {
		p.item("%s, such as "+verbs(k.Value), k.Name)
	}
	if k.Meaning == "" {
		p.text("See the text above.")
		return
	}
	p.text(sentence(k.Meaning))
}

// verbs is text in the format of item.
func verbs(s string) string { return strings.ReplaceAll(code(s), "%", "%%") }

// sentence is a meaning that begins and ends as a sentence does.
func sentence(s string) string {
	if !strings.HasSuffix(s, ".") {
		s += "."
	}
	return s
}

// Keys returns the page of all keys in Markdown.
func Keys(reference string) string {
	var b strings.Builder
	b.WriteString("# Every key\n\nThis page is made from `conf/reference.toml`, which `holdfast config reference` prints; do not change it by hand:\n" +
		"`go test ./cmd/holdfast -run TestKeys -update`. A value in the second column is the default, unless it is marked as an example.\n")
	for _, c := range Chapters(reference) {
		if c.Title != "" {
			fmt.Fprintf(&b, "\n## %s\n", c.Title)
		}
		rows := false
		for _, part := range c.Parts {
			rows = part.markdown(&b, rows)
		}
	}
	return b.String()
}

// markdown writes a part; inRows says whether a row of a table came before. It reports
// whether it wrote one.
func (part *Part) markdown(b *strings.Builder, inRows bool) bool {
	switch {
	case part.Table != "":
		fmt.Fprintf(b, "\n### `%s`\n", part.Table)
	case part.Key != nil:
		if !inRows {
			b.WriteString("\n| key | value | meaning |\n|---|---|---|\n")
		}
		value := cell(part.Key.Value)
		if !part.Key.Default {
			value = "example: " + value
		}
		fmt.Fprintf(b, "| `%s` | %s | %s |\n", part.Key.Name, value, plain(part.Key.Meaning))
		return true
	case part.Literal != nil:
		fmt.Fprintf(b, "\n```\n%s\n```\n", strings.Join(part.Literal, "\n"))
	default:
		fmt.Fprintf(b, "\n%s\n", markup(strings.Join(part.Text, "\n")))
	}
	return false
}

// cell is code in a cell of a table.
func cell(s string) string { return "`" + strings.ReplaceAll(s, "|", `\|`) + "`" }

// plain is text in a cell of a table.
func plain(s string) string { return strings.ReplaceAll(markup(s), "|", `\|`) }

// markup keeps Markdown from reading text as its own.
func markup(s string) string {
	return strings.NewReplacer("*", `\*`, "_", `\_`, "<", `\<`, "[", `\[`).Replace(s)
}
