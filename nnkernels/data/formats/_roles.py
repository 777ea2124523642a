"""Which part of a data set a file is, and which files belong together, as their names say."""

from __future__ import annotations

import re
from collections.abc import Iterable

from nnkernels.data.formats._declaration import Role
from nnkernels.data.formats._files import File
from nnkernels.errors import DataError

# Words at the beginning of a part of a name: `train-images`, `mnist_test.csv`, `trainingSet/`, `mnist.t` (LIBSVM).
_WORD = re.compile(r"(?<![a-z])(train(?:ing)?|test(?:ing)?|t10k|valid(?:ation)?|val)(?![a-z])|(?<=[^/])\.t(?=\.|$)")
_CAMEL_CASE = re.compile(r"(?<=[a-z])(?=[A-Z])")
_SHARD = re.compile(r"-\d+-of-\d+|/\d{4}(?=\.parquet$)")
_LAYOUT = re.compile(r"(^|/)(data|raw)(?=/)")  # folders that many data sets have
ROLES: dict[str, Role] = {"tr": "train", "va": "validation"}


def role_and_group(name: str) -> tuple[Role, str]:
    """Return the role of a file and the name of its data set: the file's name without what differs between parts.

    Parameters
    ----------
    name : str
        The path of the file below the source, without the suffix of a compression.

    Returns
    -------
    role : Role
        The role.
    group : str
        Equal for the files of one data set.
    """
    lower = _CAMEL_CASE.sub("-", name).lower()
    found = list(_WORD.finditer(lower))
    words = [match for match in found if "/" not in lower[match.end() :]] or found  # the file's own name first
    role = ROLES.get(words[-1][0][:2], "test") if words else ""
    # LIBSVM's training file has no word: `mnist` belongs to `mnist.t`.
    group = _SHARD.sub("", _WORD.sub(lambda match: "" if match[0] == ".t" else "*", lower))
    return role, _LAYOUT.sub("", group).strip("/")


def only_group(groups: Iterable[str], where: str, examples: dict[str, str]) -> str:
    """Return the only data set of a source, or refuse to choose.

    Parameters
    ----------
    groups : iterable of str
        The names of data sets.
    where : str
        The name of the source, for error messages.
    examples : dict of str to str
        A file of each data set.

    Returns
    -------
    group : str
        The data set.

    Raises
    ------
    DataError
        If there are several.
    """
    names = sorted(set(groups))
    if len(names) == 1:
        return names[0]
    raise DataError(
        f"{where}: contains several data sets ({_listed([examples[name] for name in names])}); "
        "give the file or folder of one of them, or the common beginning of their names"
    )


def by_group(files: Iterable[File]) -> dict[str, dict[Role, list[File]]]:
    """Return files by their data set and their role.

    Parameters
    ----------
    files : iterable of File
        The files.

    Returns
    -------
    groups : dict
        Lists of files by data set and role.
    """
    found: dict[str, dict[Role, list[File]]] = {}
    for file in files:
        role, group = role_and_group(file.stem_with_case)
        found.setdefault(group, {}).setdefault(role, []).append(file)
    return found


def _listed(names: list[str]) -> str:
    return ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")
