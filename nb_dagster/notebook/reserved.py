"""Names that a language keeps for itself: what is assigned to them it may run, or lose."""

from __future__ import annotations

import re

_BASH = """
    _ BASH BASHOPTS BASHPID BASH_[A-Z0-9_]+ CDPATH CHILD_MAX COLUMNS COMP_[A-Z]+ COMPREPLY COPROC DIRSTACK EMACS ENV
    EPOCHREALTIME EPOCHSECONDS EUID EXECIGNORE FCEDIT FIGNORE FUNCNAME FUNCNEST GLOBIGNORE GROUPS HIST[A-Z]+ histchars
    HOME HOSTFILE HOSTNAME HOSTTYPE IFS IGNOREEOF INPUTRC INSIDE_EMACS LANG LC_[A-Z]+ LD_[A-Z_]+ LINENO LINES MACHTYPE
    MAIL MAILCHECK MAILPATH MAPFILE OLDPWD OPTARG OPTERR OPTIND OSTYPE PATH PIPESTATUS POSIXLY_CORRECT PPID
    PROMPT_[A-Z]+ PS[0-9] PWD RANDOM READLINE_[A-Z]+ REPLY SECONDS SHELL SHELLOPTS SHLVL SRANDOM TERM TIMEFORMAT TMOUT
    TMPDIR UID auto_resume
"""
_R = r"""
    if else repeat while function for next break TRUE FALSE NULL Inf NaN NA NA_integer_ NA_real_ NA_complex_
    NA_character_ in \.\.\. \.\.[0-9]+
"""
_JULIA = """
    baremodule begin break catch const continue do else elseif end export false finally for function global if import
    let local macro module quote return struct true try using while
"""
_POWERSHELL = """
    _ args confirmpreference consolefilename debugpreference enabledexperimentalfeatures error erroractionpreference
    errorview event eventargs eventsubscriber executioncontext false foreach formatenumerationlimit home host
    informationpreference input iscoreclr islinux ismacos iswindows lastexitcode logcommand[a-z]+ logengine[a-z]+
    logprovider[a-z]+ matches maximum[a-z]+count myinvocation nestedpromptlevel null ofs outputencoding pid profile
    progresspreference psboundparameters pscmdlet pscommandpath psculture psdebugcontext psdefaultparametervalues
    psedition psemailserver pshome psitem psmoduleautoloadingpreference psnativecommand[a-z]+ psscriptroot pssenderinfo
    pssession[a-z]+ psstyle psuiculture psversiontable pwd sender shellid stacktrace switch this transcript true
    verbosepreference warningpreference whatifpreference
"""


def _any_of(names: str, flags: int = 0) -> re.Pattern[str]:
    return re.compile("|".join(names.split()), flags)


_KEPT = {
    "python": re.compile(r"__\w*__"),
    "bash": _any_of(_BASH),
    "r": _any_of(_R),
    "julia": _any_of(_JULIA),
    "powershell": _any_of(_POWERSHELL, re.IGNORECASE),
}


def is_reserved(name: str, language: str) -> bool:
    """Whether a language gives a variable of this name a meaning of its own.

    Bash runs what is in ``RANDOM`` or ``PS4``, PowerShell reads ``$PSDefaultParameterValues`` at each command: there a
    value would be more than data.

    Args:
        name: a parameter's name.
        language: the kernel's language, in lower case.
    """
    kept = _KEPT.get(language)
    return kept is not None and kept.fullmatch(name) is not None
