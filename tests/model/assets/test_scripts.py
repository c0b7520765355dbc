"""What a script loads now and later: texts as Vite and webpack write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.model.assets import scripts, webpack

URL = "http://shop.example.org/_nuxt/entry.js"
FILES = '"./about.js","./vendor.js","./about.css"'
DEPS = f"const __vite__mapDeps=(i,m=__vite__mapDeps,d=(m.f||(m.f=[{FILES}])))=>i.map(i=>d[i]);"


def loads(text, *, url=URL, imports=None, module=True):
    found = scripts.of(text, url, imports or {}, module=module)
    return [
        [(one.url.removeprefix("http://shop.example.org"), one.kind) for one in of] for of in (found.now, found.later)
    ]


@pytest.mark.parametrize(
    "text",
    [
        'import{a as b,_ as c}from"./x.js";',
        'import "./x.js"',
        "const y=1;import*as z from'./x.js';",
        'export{default}from"./x.js";',
        'export * from "./x.js"',
        'import a,\n{b}\nfrom "/_nuxt/x.js"',
        'import a from "#x"',
        'import a from "lib/x.js"',
    ],
)
def test_static_imports(text):
    imports = {"#x": "http://shop.example.org/_nuxt/x.js", "lib/": "http://shop.example.org/_nuxt/"}
    assert loads(text, imports=imports) == [[("/_nuxt/x.js", "module")], []]
    assert loads(text, imports=imports, module=False)[0] == []


@pytest.mark.parametrize(
    "text",
    [
        'copy(from"./x.js")',
        "const from='./x.js'",
        'import(a);const b=1;from"./x.js"',
        'import a from "vue"',
        "x.import('./x.js')",
        "import(`./${name}.js`)",
        'import("./" + name)',
    ],
)
def test_what_is_no_import_of_a_file(text):
    assert loads(text) == [[], []]


@pytest.mark.parametrize(
    "text", ['import("./x.js")', "import('./x.js').then(y)", "import(`./x.js`)", 'import("./x.js",{})']
)
def test_dynamic_imports(text):
    assert loads(text, module=False) == [[], [("/_nuxt/x.js", "module")]]


def test_the_list_of_vite_beside_the_script():
    text = DEPS + 'const r=()=>p(()=>import("./about.js"),__vite__mapDeps([0,1,2]),import.meta.url);import"./vendor.js"'
    assert loads(text) == [
        [("/_nuxt/vendor.js", "module")],
        [("/_nuxt/about.js", "module"), ("/_nuxt/about.css", "style")],
    ]


@pytest.mark.parametrize(
    ("url", "root"),
    [
        ("http://shop.example.org/assets/index.js", ""),
        ("http://shop.example.org/sub/assets/index.js", "/sub"),
        ("http://shop.example.org/app/index.js", ""),
    ],
)
def test_the_list_of_vite_below_the_site_s_base(url, root):
    text = 'const __vite__mapDeps=(i,m=__vite__mapDeps,d=(m.f||(m.f=["assets/a.js","assets/a.css"])))=>i.map(i=>d[i])'
    assert loads(text, url=url)[1] == [(f"{root}/assets/a.js", "module"), (f"{root}/assets/a.css", "style")]


def test_arrays_of_other_things_are_no_list():
    assert loads('import("./x.js");a=["./b.js",c];d=["e","f.js"];g=["h.js"+1]')[1] == [("/_nuxt/x.js", "module")]


def test_a_script_does_not_load_itself():
    assert loads('import("./entry.js")') == [[], []]


@pytest.mark.parametrize(
    ("text", "public_path", "names"),
    [
        # Nuxt 2 (webpack 4)
        (
            's.src=function(e){return l.p+""+{2:"1074d90",3:"78c176d"}[e]+".js"}(e);l.p="/_nuxt/";',
            "/_nuxt/",
            ["1074d90.js", "78c176d.js"],
        ),
        # names for some
        (
            'r.src=a.p+"js/"+({1:"about"}[e]||e)+"."+{1:"aa11",2:"bb22"}[e]+".chunk.js",a.p="/"',
            "/",
            ["js/about.aa11.chunk.js", "js/2.bb22.chunk.js"],
        ),
        # style sheets of webpack 4: those of chunks without one have the hash of nothing
        (
            'var n=""+({1:"a"}[e]||e)+"."+{1:"c0ffee",2:"31d6cfe0d16ae931b73c"}[e]+".css",i=l.p+n',
            "",
            ["a.c0ffee.css"],
        ),
        # webpack 5
        (
            'r.u=e=>(({12:"about"}[e]||e)+"."+{12:"aa11",34:"bb22"}[e]+".js"),r.miniCssF=e=>"css/"+e+"."+{12:"cc33"}[e]+'
            '".css",r.p="https://cdn.example.net/app/"',
            "https://cdn.example.net/app/",
            ["about.aa11.js", "34.bb22.js", "css/12.cc33.css"],
        ),
        ('r.u=e=>"static/"+{a:"x",b:"y"}[e]+".js"', "", ["static/x.js", "static/y.js"]),
        ('a={b:"c"}[d]+".txt"', "", []),
        ('a={b:c}[d]+".js"', "", []),
        ('a={b:"c"}[d]+', "", []),
        ("", "", []),
    ],
)
def test_webpack(text, public_path, names):
    found = webpack.chunks(text)
    assert (found.names, found.public_path if names else "") == (tuple(names), public_path if names else "")


def test_chunks_of_webpack_are_at_its_public_path():
    text = 's.src=l.p+""+{2:"aa",3:"bb"}[e]+".js";l.p="/_nuxt/"'
    assert loads(text, module=False)[1] == [("/_nuxt/aa.js", "script"), ("/_nuxt/bb.js", "script")]


PIECES = st.sampled_from(
    [
        *(
            'import("',
            "import",
            "from",
            '"./x.js"',
            "export",
            "__vite__mapDeps",
            "[",
            "]",
            ",",
            "{",
            "}",
            "[e]",
            '1:"a"',
        ),
        *('+".js"', "||e)", "(", 'l.p="', "`", "'", "\\", "//evil.net/", ";", "http://["),
    ]
)


@given(st.lists(st.one_of(PIECES, st.text(max_size=6)), max_size=60).map("".join), st.booleans())
def test_hostile_scripts_give_references_or_nothing(text, module):
    found = scripts.of(text, URL, {"a/": "http://x/"}, module=module)
    assert all(one.url.startswith(("http://", "https://")) for one in (*found.now, *found.later))


@pytest.mark.parametrize(
    "piece",
    ['from"', "import", "import ", 'import"', "[", '["a.js",', "{", "{a:'b'}[e]", "import(", '"x"+', "export{", "/*"],
)
def test_a_megabyte_of_anything_takes_no_minute(piece):
    scripts.of("import(__vite__mapDeps" + piece * (1_000_000 // len(piece)), URL, {}, module=True)
