"""Small documents, on each store."""

from concurrent.futures import ThreadPoolExecutor

from haimaker.store.documents import Document
from tests.unit.store.test_contract import ODD_TEXT


def test_a_document_is_kept_changed_and_deleted(scene):
    kind, documents = scene.kind, scene.store.documents
    assert documents.get(kind, "a/b") is None
    assert not documents.put(kind, Document("a/b", {}, 1)), "there is none to change"
    assert documents.put(kind, Document("a/b", {"text": ODD_TEXT, "n": [1, 2.5, None]}, 0))
    assert not documents.put(kind, Document("a/b", {}, 0)), "there is one"
    assert documents.get(kind, "a/b") == Document("a/b", {"text": ODD_TEXT, "n": [1, 2.5, None]}, 1)
    assert documents.put(kind, Document("a/b", {"text": "new"}, 1))
    assert not documents.put(kind, Document("a/b", {"text": "late"}, 1))
    assert documents.get(kind, "a/b") == Document("a/b", {"text": "new"}, 2)
    assert documents.delete(kind, "a/b")
    assert not documents.delete(kind, "a/b")


def test_all_of_a_kind_and_no_others(scene):
    documents = scene.store.documents
    for name in ("b", "a", ODD_TEXT):
        assert documents.put(scene.kind, Document(name, {"name": name}, 0))
    assert documents.put(f"{scene.kind}x", Document("c", {}, 0))
    found = documents.all(scene.kind)
    assert {document.name for document in found} == {"a", "b", ODD_TEXT}
    assert all(document.body == {"name": document.name} for document in found)


def test_pages_of_a_kind_in_either_direction(scene):
    documents = scene.store.documents
    for number in range(5):
        assert documents.put(scene.kind, Document(f"n{number}", {"n": number}, 0))
    assert documents.put(f"{scene.kind}x", Document("n9", {}, 0))

    def numbers(*arguments, **options):
        page, more = documents.page(scene.kind, *arguments, **options)
        return [document.body["n"] for document in page], more

    assert numbers() == ([0, 1, 2, 3, 4], False)
    assert numbers(None, 2) == ([0, 1], True)
    assert numbers("n1", 3) == ([2, 3, 4], False)
    assert numbers(None, 2, newest_first=True) == ([4, 3], True)
    assert numbers("n3", 3, newest_first=True) == ([2, 1, 0], False)
    assert numbers("n4") == ([], False)


def test_of_many_writers_one_wins(scene):
    documents = scene.store.documents
    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(lambda number: documents.put(scene.kind, Document("n", {"by": number}, 0)), range(8)))
    assert won.count(True) == 1
    kept = documents.get(scene.kind, "n")
    assert (kept.body, kept.version) == ({"by": won.index(True)}, 1)


def test_documents_are_no_accounts(scene):
    assert scene.store.documents.put(scene.kind, Document("n", {}, 0))
    assert scene.store.accounts(scene.kind) == ([], None)
