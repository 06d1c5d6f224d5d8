"""Holds requests against Amazon's own models of its services, as botocore has them.

Reads from standard input a line of JSON for each request: service, action, and body as it was sent. Prints a line for each thing
that the model does not know."""

import datetime
import json
import sys
import urllib.parse

try:
    from awscli.botocore.session import get_session
except ImportError:
    from botocore.session import get_session

SESSION = get_session()
MODELS = {}


def model(service):
    if service not in MODELS:
        MODELS[service] = SESSION.get_service_model(service)
    return MODELS[service]


def scalar(shape, value, where):
    """What is wrong with a value that is no list and no structure."""
    kind = shape.type_name
    if kind in ("integer", "long"):
        try:
            int(value)
        except (TypeError, ValueError):
            yield f"{where}: {value!r} is no {kind}"
    elif kind == "boolean":
        if value not in ("true", "false", True, False):
            yield f"{where}: {value!r} is no boolean"
    elif kind == "timestamp":
        try:
            datetime.datetime.fromisoformat(str(value).replace("Z", "+00:00"))
        except ValueError:
            yield f"{where}: {value!r} is no time"
    elif kind == "string":
        enum = getattr(shape, "enum", None)
        if enum and value not in enum:
            yield f"{where}: {value!r} is none of {len(enum)} words"
    elif kind != "blob":
        yield f"{where}: a {kind} was expected, and {value!r} came"
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    size = len(value) if kind == "string" else None
    if size is not None and ((low is not None and size < low) or (high is not None and size > high)):
        yield f"{where}: {size} characters, and {low} to {high} may be"


def checked(shape, value, where):
    """What is wrong with a value: a tree of dictionaries, lists and scalars under the names of the model."""
    if shape.type_name == "structure":
        if not isinstance(value, dict):
            yield f"{where}: a structure was expected, and {value!r} came"
            return
        for name in value.keys() - shape.members.keys():
            yield f"{where}.{name}: the model does not know it"
        for name in shape.required_members:
            if name not in value:
                yield f"{where}.{name}: the model demands it"
        for name in value.keys() & shape.members.keys():
            yield from checked(shape.members[name], value[name], f"{where}.{name}")
    elif shape.type_name == "list":
        if not isinstance(value, list):
            yield f"{where}: a list was expected, and {value!r} came"
            return
        for place, one in enumerate(value):
            yield from checked(shape.member, one, f"{where}[{place}]")
    elif isinstance(value, (dict, list)):
        yield f"{where}: a {shape.type_name} was expected, and {value!r} came"
    else:
        yield from scalar(shape, value, where)


def wire_name(name, shape, protocol):
    """What a member is called in a form."""
    said = shape.serialization
    if protocol == "ec2":
        if "queryName" in said:
            return said["queryName"]
        return said["name"][0].upper() + said["name"][1:] if "name" in said else name
    if shape.type_name == "list" and shape.serialization.get("flattened"):
        return shape.member.serialization.get("name", name)
    return said.get("name", name)


def tree_of(fields):
    """A form's fields as a tree, by the points in their names."""
    tree = {}
    for name, value in fields:
        at = tree
        *path, last = name.split(".")
        for part in path:
            at = at.setdefault(part, {})
            if not isinstance(at, dict):
                raise ValueError(f"{name}: it is a value and a structure")
        if last in at:
            raise ValueError(f"{name}: it is there twice")
        at[last] = value
    return tree


def renamed(shape, tree, protocol, where, wrong):
    """The tree under the names of the model."""
    if shape.type_name == "structure" and isinstance(tree, dict):
        names = {wire_name(name, member, protocol): name for name, member in shape.members.items()}
        wrong.extend(f"{where}.{name}: the model does not know it" for name in tree.keys() - names.keys())
        return {
            names[name]: renamed(shape.members[names[name]], value, protocol, f"{where}.{name}", wrong)
            for name, value in tree.items()
            if name in names
        }
    if shape.type_name == "list" and isinstance(tree, dict):
        if protocol == "query" and not shape.serialization.get("flattened"):
            if list(tree) != ["member"]:
                wrong.append(f"{where}: a list's values stand below `member`")
                return []
            tree = tree["member"]
        numbers = sorted(tree, key=lambda number: int(number) if number.isdigit() else 0)
        if numbers != [str(place + 1) for place in range(len(numbers))]:
            wrong.append(f"{where}: numbered {numbers}")
        return [renamed(shape.member, tree[number], protocol, where, wrong) for number in numbers]
    return tree


def faults(request):
    """All that the model has to say of a request."""
    service, action = request["service"], request["action"]
    known = model(service)
    if action not in known.operation_names:
        return [f"{service}:{action}: there is no such call"]
    shape = known.operation_model(action).input_shape
    protocol = known.metadata["protocol"]
    if protocol == "json":
        return list(checked(shape, json.loads(request["body"]), f"{service}:{action}"))
    fields = urllib.parse.parse_qsl(request["body"], keep_blank_values=True, strict_parsing=True)
    said = {name: value for name, value in fields if name in ("Action", "Version")}
    wrong = []
    if said.get("Version") != known.metadata["apiVersion"]:
        wrong.append(f"{service}:{action}: version {said.get('Version')}")
    try:
        tree = tree_of([field for field in fields if field[0] not in said])
    except ValueError as error:
        return [f"{service}:{action}: {error}"]
    if shape is None:
        return wrong + [f"{service}:{action}.{name}: the model does not know it" for name in tree]
    tree = renamed(shape, tree, protocol, f"{service}:{action}", wrong)
    return wrong + list(checked(shape, tree, f"{service}:{action}"))


def main():
    for line in sys.stdin:
        for fault in faults(json.loads(line)):
            print(fault)


main()
