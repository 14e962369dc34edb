"""A line that somebody types: letters, and the keys that move in it or take some away. Pure."""

from dataclasses import dataclass

from cli.top.lines import Cell, Line, Pen, Tone


@dataclass(slots=True)
class TypingLine:
    """`at` is where the next letter comes, counted in letters. `offered`: the text was not typed, and the first letter
    takes its place."""

    text: str = ""
    at: int = 0
    offered: bool = False

    @classmethod
    def beginning(cls, text: str) -> "TypingLine":
        return cls(text=text, at=len(text), offered=bool(text))

    def press(self, key: str, letter: str | None) -> bool:
        """Whether the text is another one now. `key` is textual's name for it."""
        before = self.text
        match key:
            case "left":
                self.at = max(0, self.at - 1)
            case "right":
                self.at = min(len(self.text), self.at + 1)
            case "home" | "ctrl+a":
                self.at = 0
            case "end" | "ctrl+e":
                self.at = len(self.text)
            case "backspace":
                self.text, self.at = self.text[: max(0, self.at - 1)] + self.text[self.at :], max(0, self.at - 1)
            case "delete":
                self.text = self.text[: self.at] + self.text[self.at + 1 :]
            case "ctrl+u":
                self.text, self.at = self.text[self.at :], 0
            case _ if letter and letter.isprintable():
                self.insert(letter)
        self.offered = False
        return self.text != before

    def insert(self, text: str) -> None:
        """What was typed, or pasted: one line of it."""
        new = "".join(each if each.isprintable() else " " for each in text)
        if self.offered:
            self.text, self.at, self.offered = "", 0, False
        self.text, self.at = self.text[: self.at] + new + self.text[self.at :], self.at + len(new)

    def line(self, pen: Pen) -> Line:
        """With the place of the next letter marked; what is offered is marked as a whole."""
        if self.offered:
            return pen.fitted([Cell(" "), Cell(self.text, Tone.CHOSEN), Cell(" ")])
        under = self.text[self.at : self.at + 1] or " "
        before = self.text[: self.at][-max(1, pen.width - 3) :]  # the end of what is too long
        return pen.fitted([Cell(f" {before}"), Cell(under, Tone.CHOSEN), Cell(self.text[self.at + 1 :])])
