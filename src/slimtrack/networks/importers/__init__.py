"""Networks from files of other programs; nothing in a file is ever executed."""
