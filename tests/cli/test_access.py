"""``vclab group …``, ``vclab grant …`` and ``vclab access explain``."""

from pathlib import Path

from tests.cli.conftest import Command


def test_groups_are_made_filled_shown_and_removed(vclab: Command, store: Path) -> None:
    assert "There are no groups" in vclab("group", "list").err
    title = "Klasse 5b – Größe 生物学"
    made = vclab("group", "add", "class-5b", "--of", "people", "--title", title, "--json").json
    assert (made["name"], made["kind"], made["title"], made["has"]) == ("class-5b", "people", title, [])
    assert vclab("group", "join", "class-5b", "--person", "alice", "--person", "bob").code == 0
    shown = vclab("group", "show", "class-5b").out
    assert title in shown and "alice" in shown and "bob" in shown
    assert "class-5b" in vclab("group", "list").out
    vclab("group", "remove", "class-5b").one_line_error(
        3, "has 2 members", "`vclab group leave class-5b --all` empties it"
    )
    assert vclab("group", "leave", "class-5b", "--all", "--json").json["has"] == []
    assert vclab("group", "remove", "class-5b").out == "class-5b is removed\n"
    vclab("group", "show", "class-5b").one_line_error(4, "there is no group 'class-5b'")


def test_a_grant_is_made_listed_explained_and_taken_back(vclab: Command, store: Path) -> None:
    assert vclab("group", "add", "licensed", "--of", "images").code == 0
    assert vclab("group", "join", "licensed", "--image", "debian-12").code == 0
    no = vclab("access", "explain", "bob", "reserve", "debian-12")
    assert no.code == 0
    assert [line.split() for line in no.out.splitlines()] == [
        ["Allowed", "no"],
        ["To", "reserve", "image", "debian-12"],
        ["Needs", "image-maker", "or", "operator", "or", "teacher", "or", "user"],
        ["Over", "licensed", "or", "everything"],
    ]
    assert "debian-12" not in vclab("--as", "bob", "images").out
    made = vclab("grant", "add", "user", "--person", "bob", "--on", "licensed", "--json").json
    assert made["text"] == f"user to bob over licensed (grant {made['id']})"
    assert vclab("grant", "add", "user", "--person", "bob", "--on", "licensed", "--json").json == made
    yes = vclab("access", "explain", "bob", "reserve", "debian-12", "--json").json
    assert yes["allowed"] and yes["because"] == [f"{made['text']}, which has the image debian-12; user permits reserve"]
    assert "debian-12" in vclab("--as", "bob", "images").out
    assert [row["id"] for row in vclab("--as", "bob", "grant", "list", "--json").json] == [made["id"]]
    assert "licensed" in vclab("grant", "list", "--group", "licensed").out
    assert vclab("grant", "remove", str(made["id"])).out == f"taken back: {made['text']}\n"
    assert vclab("grant", "list", "--user", "bob", "--json").json == []
    vclab("--as", "bob", "grant", "list", "--user", "alice").one_line_error(3, "bob may see their own grants only")


def test_who_may_not_grant_is_told_what_it_takes(vclab: Command, store: Path) -> None:
    why = "bob may not grant the lab: no grant gives the role administrator over everything"
    vclab("--as", "bob", "grant", "add", "operator", "--person", "bob", "--everything").one_line_error(3, why)
    vclab("--as", "bob", "group", "add", "mine", "--of", "people").one_line_error(3, why)


def test_what_is_typed_wrongly(vclab: Command, store: Path) -> None:
    vclab("grant", "add", "boss", "--person", "bob", "--everything").one_line_error(2, "boss")
    vclab("grant", "add", "user", "--person", "bob").one_line_error(2, "use --on GROUP or --everything")
    vclab("grant", "add", "user", "--everything").one_line_error(2, "use --person, --group or --everyone")
    vclab("grant", "add", "teacher", "--person", "bub", "--everything").one_line_error(4, "did you mean bob?")
    vclab("group", "add", "x", "--of", "cats").one_line_error(2, "cats")
    vclab("access", "explain", "bob", "destroy", "debian-12").one_line_error(2, "'destroy' is no action")
    vclab("access", "explain", "bob", "reserve", "debian").one_line_error(4, "there is no")
