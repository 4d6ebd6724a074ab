// Package pages takes the documentation apart, so that tests execute what it shows: every command,
// every program and every file. It holds what reads a page (Blocks, Commands) and what compares the
// output that a page shows with the one that came (Match); the tests of this package are about the
// pages of this repository, and name each section with the way in which its blocks are run. A block
// that no way is known for is a failure.
package pages

import "strings"

// A Block is what stands between two fences of a page.
type Block struct {
	Section  string // the heading above it, without its #
	Language string // what follows the first fence: sh, go, console, …; may be empty
	Text     string // the lines between the fences, each with its newline
	Line     int    // of the first fence, from 1
}

const fence = "```"

// Blocks returns the blocks of a page in Markdown, in their order. One that is not closed ends with
// the page.
func Blocks(page string) (blocks []Block) {
	var section string
	var open *Block
	number := 0
	for line := range strings.Lines(page) {
		number++
		switch heading := strings.TrimLeft(line, "#"); {
		case open != nil && strings.HasPrefix(line, fence):
			blocks, open = append(blocks, *open), nil
		case open != nil:
			open.Text += line
		case strings.HasPrefix(line, fence):
			open = &Block{section, strings.TrimSpace(line[len(fence):]), "", number}
		case heading != line && strings.HasPrefix(heading, " "):
			section = strings.TrimSpace(heading)
		}
	}
	if open != nil {
		blocks = append(blocks, *open)
	}
	return blocks
}

// A Command of a transcript, and what it shows as its output.
type Command struct{ Text, Output string }

// Commands takes a transcript of a terminal apart: a command follows "$ ", and its further lines
// follow "> "; all other lines are output. Lines before the first command are dropped.
func Commands(transcript string) (commands []Command) {
	for line := range strings.Lines(transcript) {
		last := len(commands) - 1
		switch {
		case strings.HasPrefix(line, "$ "):
			commands = append(commands, Command{Text: line[2:]})
		case last < 0:
		case strings.HasPrefix(line, "> ") && commands[last].Output == "":
			commands[last].Text += line[2:]
		default:
			commands[last].Output += line
		}
	}
	return commands
}
