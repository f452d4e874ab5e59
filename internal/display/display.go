// Package display decides which texts pages may show: names of clients and customers, descriptions of scopes, and the choices of a
// representation page. Users decide by these texts whom they trust, so a text must be readable, and must not look like another one.
package display

import (
	"fmt"
	"slices"
	"unicode"
	"unicode/utf8"
)

// maxMarks is the largest number of combining marks on one letter. Scripts that are written with marks need up to four.
const maxMarks = 4

// The rules, as they complete the sentence "the text …".
const (
	ruleUTF8     = "must be UTF-8"
	ruleVisible  = "must not contain control, bidirectional, invisible or blank characters, or spaces other than U+0020"
	ruleContent  = "must not be blank: it must have a letter or a digit"
	ruleScripts  = "must not combine scripts in a word"
	ruleComposed = "must have accented letters as one character each (NFC), and at most four marks on a letter of a script with marks"
)

// Problem returns the rule that a text breaks, or "". The text has at most limit characters. If paragraphs, it may have line feeds.
//
// Each word has one script: a run of letters, digits and marks. Japanese, Korean and Chinese words combine the scripts of their
// writing systems. Marks follow a letter, whose script they have if they have one, and not a letter of Latin, Greek or Cyrillic, whose
// accented letters are single characters.
func Problem(text string, limit int, paragraphs bool) string {
	if !utf8.ValidString(text) {
		return ruleUTF8
	}
	if utf8.RuneCountInString(text) > limit {
		return fmt.Sprintf("must be at most %d characters", limit)
	}
	content := false
	var w word
	for _, r := range text {
		switch {
		case r == '\n' && paragraphs:
			w = word{}
		case !visible(r):
			return ruleVisible
		case r >= utf8.RuneSelf && unicode.Is(decomposed, r):
			return ruleComposed
		case unicode.IsMark(r):
			if rule := w.addMark(r); rule != "" {
				return rule
			}
		case unicode.IsLetter(r), unicode.IsNumber(r):
			content = true
			if !w.add(r) {
				return ruleScripts
			}
		default:
			w = word{}
		}
	}
	if !content {
		return ruleContent
	}
	return ""
}

// visible reports whether a character is seen on a page: it is printable, and neither ignorable by default (Unicode Standard Annex 44) nor blank.
func visible(r rune) bool {
	if r < utf8.RuneSelf {
		return ' ' <= r && r < 0x7f
	}
	return unicode.IsPrint(r) && !unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector, blank)
}

// word is the word that is being read.
type word struct {
	script  string   // of the last letter
	systems []string // writing systems that have all letters so far; nil before the first letter
	marked  bool     // the last letter may have marks
	marks   int      // on the last letter

	ascii, digits bool // it has a Latin letter or an ASCII digit; it has another decimal digit
}

// add adds a letter or a number. It returns false if the word combines scripts then.
func (w *word) add(r rune) bool {
	w.marks = 0
	if '0' <= r && r <= '9' {
		w.ascii, w.marked = true, false
		return !w.digits
	}
	script := scriptOf(r)
	switch {
	case unicode.IsDigit(r):
		w.digits = true
	case script == "Latin":
		w.ascii = true
	}
	if w.ascii && w.digits {
		return false
	}
	if script == common {
		// Modifier letters, such as the prolonged sound mark of kana, occur in words of every script. Other letters without a
		// script are mathematical alphabets, which imitate Latin.
		return !unicode.IsLetter(r) || unicode.Is(unicode.Lm, r) || r == 'µ'
	}
	w.marked = !slices.Contains(composedScripts, script)
	if script == w.script {
		return true
	}
	w.script = script
	systems := writingSystems(script)
	if w.systems != nil {
		systems = slices.DeleteFunc(slices.Clone(systems), func(s string) bool { return !slices.Contains(w.systems, s) })
	}
	w.systems = systems
	return len(systems) > 0
}

// addMark adds a combining mark. It returns the rule that the word breaks then, or "". Most marks have no script of their own.
func (w *word) addMark(r rune) string {
	w.marks++
	if !w.marked || w.marks > maxMarks || unicode.Is(unicode.Me, r) {
		return ruleComposed
	}
	if script := scriptOf(r); script != common && script != w.script {
		return ruleScripts
	}
	return ""
}

const common = "Common"

// composedScripts are scripts whose accented letters are single characters in NFC, but for rare ones.
var composedScripts = []string{"Latin", "Greek", "Cyrillic"}

// scriptOf returns the script of a character. Characters of several scripts have "Common".
func scriptOf(r rune) string {
	if r < utf8.RuneSelf || unicode.Is(unicode.Latin, r) { // most letters
		return "Latin"
	}
	for name, table := range unicode.Scripts {
		if name != common && name != "Inherited" && unicode.Is(table, r) {
			return name
		}
	}
	return common
}

// writingSystems returns the writing systems that use a script (Unicode Technical Standard 39): itself, except for the scripts of East Asia.
func writingSystems(script string) []string {
	switch script {
	case "Han":
		return []string{"Japanese", "Korean", "Chinese"}
	case "Hiragana", "Katakana":
		return []string{"Japanese"}
	case "Hangul":
		return []string{"Korean"}
	case "Bopomofo":
		return []string{"Chinese"}
	}
	return []string{script}
}
