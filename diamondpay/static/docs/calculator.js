// The calculator of the gateway API: every step of a signature, shown as it is typed.
"use strict";
{
  const { compact, read, sign } = window.gatewaySigning;
  const form = document.getElementById("calculator");
  const words = form.dataset;
  const field = (name) => form.querySelector(`[data-field=${name}]`);
  const output = (name) => form.querySelector(`[data-output=${name}]`);
  let round = 0;

  const show = (name, text) => {
    output(name).textContent = text;
  };

  const fault = (name, text) => {
    const place = form.querySelector(`[data-fault=${name}]`);
    place.textContent = text;
    place.hidden = !text;
    field(name).toggleAttribute("aria-invalid", Boolean(text));
  };

  const table = (pairs) => {
    const rows = pairs.map(([name, text]) => {
      const row = document.createElement("tr");
      for (const content of [name, text]) row.insertCell().textContent = content;
      return row;
    });
    output("kept").replaceChildren(...rows);
  };

  // Where two strings part: a stranger's mistake is nearly always seen from the first place that differs.
  const compare = (own, wanted) => {
    if (!own) return "";
    if (own === wanted) return words.same;
    const mine = Array.from(own);
    const theirs = Array.from(wanted);
    let at = 0;
    while (at < mine.length && mine[at] === theirs[at]) at += 1;
    const shown = (letters) => letters.slice(at, at + 16).join("") || words.end;
    return words.differs.replace("{place}", at + 1).replace("{own}", shown(mine)).replace("{wanted}", shown(theirs));
  };

  const body = (members, signType, signature) => {
    const rest = members.filter(([name]) => name !== "sign" && name !== "sign_type");
    const kind = signType === "MD5" ? [] : [["sign_type", { text: signType }]];
    const lines = [...rest, ...kind, ["sign", { text: signature }]];
    return `{\n${lines.map(([name, value]) => `  ${JSON.stringify(name)}: ${compact(value)}`).join(",\n")}\n}`;
  };

  const calculate = async () => {
    round += 1;
    const mine = round;
    const key = field("key").value;
    const signType = field("sign_type").value;
    form.removeAttribute("data-ready");
    for (const name of ["canonical", "signed", "signature", "body", "left", "own-verdict", "sign-verdict"]) show(name, "");
    table([]);
    fault("params", "");
    fault("key", key ? "" : words.nokey);
    fault("sign_type", signType !== "MD5" && !window.crypto?.subtle ? words.insecure : "");
    let found;
    try {
      found = read(field("params").value);
    } catch (error) {
      fault("params", `${words.notjson} ${error.message}.`);
      return;
    }
    table(found.kept);
    show("left", found.left.length ? `${words.left} ${found.left.join(", ")}` : "");
    show("canonical", found.canonical);
    show("own-verdict", compare(field("own").value, found.canonical));
    if (!key || (signType !== "MD5" && !window.crypto?.subtle)) return;
    const signature = await sign(found.canonical, key, signType);
    if (mine !== round) return;
    show("signed", signType === "MD5" ? `MD5("${found.canonical}&${key}")` : `HMAC-SHA256(key "${key}", "${found.canonical}")`);
    show("signature", signature);
    show("body", body(found.members, signType, signature));
    show("sign-verdict", compare(field("own_sign").value.trim(), signature));
    form.setAttribute("data-ready", "");
  };

  const load = () => {
    const chosen = field("vector").selectedOptions[0].dataset;
    field("params").value = chosen.params;
    field("key").value = chosen.key;
    field("sign_type").value = chosen.signType;
    field("own").value = "";
    field("own_sign").value = "";
    calculate();
  };

  form.hidden = false;
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("input", (event) => (event.target === field("vector") ? load() : calculate()));
  load();
}
