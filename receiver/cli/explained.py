"""What `--help` adds to a command's own words: what its arguments are, and its commands in whole sentences."""

from __future__ import annotations

import click

#: what an argument is, by its name in the usage line
MEANINGS = {
    "MAPPING": "a mapping, such as CUSTOMER; `receiver mappings list` names them all.",
    "KEY": "the key of a local record, such as C00010.",
    "GUID": "the id of a Dataverse row, such as a0000000-0000-4000-8000-000000000001.",
    "NUMBER": "its number, as `list` prints it.",
    "WHAT": "what runs by itself, such as catch-up; `receiver schedule list` names it all.",
    "CRON": 'cron text in UTC, such as "*/10 * * * *"; an H in the place of a number spreads what runs for many.',
    "FOR": "a table or mapping that it runs for; all where none is named.",
    "DIR": "the folder of the files.",
    "GATE": 'a gate, such as "read account"; `receiver gates list` names those that are closed.',
}
LONGEST_SENTENCE = 200


class ExplainedGroup(click.Group):
    """Says what each command does in a whole sentence; click would cut it to the width of the terminal."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        rows = [(name, self.commands[name].get_short_help_str(LONGEST_SENTENCE)) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


def explain(command: click.Command) -> None:
    """Say under the help of *command*, and of those in it, what its arguments are."""
    names = [name for one in command.params if isinstance(one, click.Argument) and (name := argument_name(one))]
    lines = [f"{name}: {MEANINGS[name]}" for name in names if name in MEANINGS]
    if lines:
        command.epilog = "\n\n".join(lines)
    for inner in command.commands.values() if isinstance(command, click.Group) else ():
        explain(inner)


def argument_name(argument: click.Argument) -> str:
    """Such as KEY, of `[KEY]...`."""
    return (argument.metavar or argument.name or "").upper().strip("[].")
