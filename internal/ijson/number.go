package ijson

import (
	"encoding/json"
	"math"
	"strconv"
)

// number reads a number and keeps its text (RFC 8259 §6).
func (d *decoder) number() (any, *SyntaxError) {
	start := d.at
	d.next('-')
	if !d.next('0') && !d.digits() {
		return nil, d.expected("a digit is missing here: write Infinity and NaN as strings")
	}
	fraction := d.next('.')
	if fraction && !d.digits() {
		return nil, d.expected("a digit is missing after the decimal point")
	}
	exponent := d.next('e') || d.next('E')
	if exponent && !d.exponent() {
		return nil, d.expected("a digit is missing in the exponent")
	}
	if d.at < len(d.b) && wordlike(d.b[d.at]) {
		return nil, d.fail("a number goes on wrongly: write it in decimal, without leading zeros or a plus")
	}
	if d.at-start > MaxNumber {
		d.at = start
		return nil, d.fail("a number has more than 400 characters: send it as a string")
	}
	text := d.own(start, d.at)
	if (exponent || len(text) > 300) && !fits(text) {
		d.at = start
		return nil, d.fail("a number is outside the range of a double: send it as a string")
	}
	return json.Number(text), nil
}

func (d *decoder) exponent() bool {
	if !d.next('+') {
		d.next('-')
	}
	return d.digits()
}

// digits takes one or more digits.
func (d *decoder) digits() bool {
	start := d.at
	for d.at < len(d.b) && '0' <= d.b[d.at] && d.b[d.at] <= '9' {
		d.at++
	}
	return d.at > start
}

// wordlike reports whether c cannot follow a number, to say so in a better
// sentence than that a comma is missing.
func wordlike(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z' || c == '.' || c == '+' || c == '-'
}

// fits reports whether the magnitude is one a double can hold: neither infinite
// nor so small that it would read as zero without being zero.
func fits(text string) bool {
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsInf(f, 0) {
		return false
	}
	return f != 0 || zero(text)
}

// zero reports whether every digit before the exponent is 0.
func zero(text string) bool {
	for i := range len(text) {
		switch c := text[i]; {
		case c == 'e' || c == 'E':
			return true
		case '1' <= c && c <= '9':
			return false
		}
	}
	return true
}
