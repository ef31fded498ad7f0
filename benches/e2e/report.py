"""The figures as a page: each beside nginx's in the same run, and the bounds that vacpack has set itself."""

from statistics import median

GROWTH = 32
"""MiB that a stream of any length may take, at most."""
DELAY = 20
"""Milliseconds from an event's sending to its decoding, for 99 of 100."""
LESS = 5
"""Times less CPU for a hit than nginx with proxy_cache and brotli at level 5."""


def middle(rounds: list[dict], key: str) -> float:
    return median(one[key] for one in rounds)


def bounds(run: dict) -> list[tuple[str, str, bool]]:
    """Each bound, the figure beside it, and whether it holds."""
    found = []
    measured = {(row["case"], row["peer"]): row["rounds"] for row in run["beside"]}
    ours, theirs = measured.get(("hit", "vacpack")), measured.get(("hit", "nginx"))
    if ours:
        encoded = sum(one["encoded_bytes"] for one in ours)
        hits = sum(one["requests"] for one in ours)
        found.append(("a hit calls no codec", f"{encoded:.0f} bytes encoded in {hits:,} hits", encoded == 0))
        share = max(one["app_share"] for one in ours)
        found.append(("a hit does not ask the app", f"{share * 100:.2f} % of the hits asked", share == 0))
    if ours and theirs:
        times = middle(theirs, "cpu_us") / middle(ours, "cpu_us")
        least = min(one["cpu_us"] for one in theirs) / max(one["cpu_us"] for one in ours)
        figure = f"{times:.1f} times less ({least:.1f} in the worst pairing of rounds)"
        found.append((f"a hit takes at least {LESS} times less CPU than nginx's", figure, times >= LESS))
    alone = run["alone"]
    if stream := alone.get("stream"):
        what = f"{stream['bytes'] / 1e9:.1f} GB of chunked text through {stream['coding']}"
        growth = stream["rss_growth_mib"]
        figure = f"{growth:.1f} MiB from {stream['rss_idle_mib']:.1f} MiB"
        found.append((f"{what} take under {GROWTH} MiB", figure, growth < GROWTH and stream["coding"] == "br"))
        found.append(("every byte of it arrives", f"CRC of {stream['bytes']:,} bytes", stream["same"]))
        seconds = stream["app_sent_for_ms"] / 1e3
        figure = f"after {stream['first_byte_ms']:.1f} ms; the app sent for {seconds:.1f} s"
        found.append(("its first byte arrives while the app sends", figure, stream["first_byte_while_app_sends"]))
    if events := alone.get("events"):
        figure = "p50 {p50_ms:.2f} ms, p99 {p99_ms:.2f} ms, longest {max_ms:.2f} ms of {events} events".format(**events)
        figure += "; without vacpack {p50_ms:.2f}, {p99_ms:.2f}, {max_ms:.2f}".format(**events["direct"])
        whole = events["events"] == events["expected"] and events["coding"] == "br"
        found.append((f"events through br arrive within {DELAY} ms (p99)", figure, whole and events["p99_ms"] < DELAY))
    if cold := alone.get("cold"):
        figure = "{app_requests} request(s) for {clients} clients; slowest {slowest_seconds:.2f} s".format(**cold)
        found.append((f"{cold['clients']} cold requests: the app sees one", figure, cold["app_requests"] == 1))
        figure = "{right} of {clients}, {coding}".format(**cold)
        found.append(("all of them get the right bytes", figure, cold["right"] == cold["clients"]))
    return found


def spread(rounds: list[dict], key: str, digits: int) -> str:
    values = [one[key] for one in rounds]
    return f"{median(values):,.{digits}f} ({min(values):,.{digits}f}-{max(values):,.{digits}f})"


def beside(ours: list[dict], theirs: list[dict]) -> str:
    """CPU a request over that of the other, in words."""
    mine, other = middle(ours, "cpu_us"), middle(theirs, "cpu_us")
    if ours is theirs or not mine or not other:
        return ""
    return f"{other / mine:.1f} times less" if mine < other else f"{mine / other:.1f} times more"


def table(run: dict, case: str) -> list[str]:
    rows = [row for row in run["beside"] if row["case"] == case]
    peer = next((row for row in rows if row["peer"] == "nginx"), None)
    lines = [
        "| proxy | coding | bytes an answer | CPU a request, µs | beside nginx | answers/s | p50 ms | p99 ms "
        "| asked the app | errors |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        rounds = row["rounds"]
        cells = [
            row["peer"],
            row["coding"],
            f"{middle(rounds, 'bytes'):,.0f}",
            spread(rounds, "cpu_us", 1),
            beside(rounds, peer["rounds"]) if peer else "",
            f"{middle(rounds, 'per_second'):,.0f}",
            spread(rounds, "p50_ms", 2),
            spread(rounds, "p99_ms", 2),
            f"{middle(rounds, 'app_share') * 100:.1f} %",
            str(sum(one["errors"] for one in rounds)),
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def page(run: dict) -> str:
    machine = run["machine"]
    lines = [
        "# Load through vacpack, beside other proxies",
        "",
        f"`{run['command']}`, {run['date']}, commit {run['commit']}, {run['seconds']:.0f} s.",
        "",
        f"- Machine: {machine['cores']} cores ({machine['processor']}), Linux {machine['kernel']}; "
        f"load average {machine['load_before']:.1f} before, {machine['load_after']:.1f} after.",
        f"- Pinned: {run['pinned']}. Every proxy has one thread that serves; access logs are off but where it says.",
        "- Versions: " + ", ".join(f"{name} {number}" for name, number in run["versions"].items()) + ".",
    ]
    lines += [f"- Not in this run: {name} ({why})." for name, why in run["absent"].items()]
    lines += [
        f"- {run['rounds']} rounds of {run['round_seconds']} s each, all proxies in turn within a round; median, and "
        "(smallest-largest) over the rounds.",
        "- CPU a request is user and system time of the proxy's processes over completed requests. It depends little "
        "on what else runs here; answers a second and delays do, and are those of a closed loop that never rests.",
        "- Every answer was fetched, decoded and compared with the app's bytes before it was measured.",
        "",
        "## Bounds",
        "",
        "| bound | figure | holds |",
        "|---|---|---|",
    ]
    lines += [f"| {bound} | {figure} | {'yes' if holds else '**no**'} |" for bound, figure, holds in bounds(run)]
    titles = {row["case"]: row["title"] for row in run["beside"]}
    for case, title in titles.items():
        lines += ["", f"## {title[0].upper()}{title[1:]} ({run['connections'][case]} connections)", ""]
        lines += table(run, case)
    if skipped := run["alone"].get("skipped"):
        reasons = ", ".join(f"{reason} {count:,.0f}" for reason, count in skipped.items())
        lines += ["", f"Bodies that vacpack left as they were: {reasons}."]
    lines += ["", "## What was served", ""]
    lines += [f"- {one['name']}: {one['bytes']:,} bytes, {one['source']}" for one in run["payloads"]]
    return "\n".join(lines) + "\n"
