"""Processes of their own, to talk to."""

import subprocess
import sys


def started(program: str) -> "subprocess.Popen[str]":
    pipe = subprocess.PIPE
    return subprocess.Popen([sys.executable, "-c", program], stdin=pipe, stdout=pipe, stderr=pipe, text=True)


def said(process: "subprocess.Popen[str]") -> str:
    """The next line that it prints."""
    return process.stdout.readline().strip()


def printed(program: str, *arguments: str, **settings: object) -> str:
    """What a program prints to its end; raises if it fails."""
    command = [sys.executable, "-c", program, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, **settings).stdout.strip()
