"""Compare two policies episode by episode in pandas, and check it against rtbench's own comparison."""

import rtbench

if __name__ == "__main__":
    chosen = {"skills": ["pick", "knock_over", "move_near"], "limit": 12}
    runs = {name: rtbench.evaluate(name, "seen", **chosen) for name in ("random", "oracle")}

    # Both have played the same episodes: same scene, objects, places and instruction under one key.
    columns = ["key", "skill", "instruction", "success"]
    pairs = runs["random"].frame[columns].merge(
        runs["oracle"].frame[["key", "success"]], on="key", suffixes=("_random", "_oracle"), validate="1:1"
    )  # fmt: skip
    pairs = pairs.dropna()  # an error has no outcome
    print(pairs.groupby("skill")[["success_random", "success_oracle"]].mean().round(2))
    lost = (pairs["success_random"] & ~pairs["success_oracle"]).sum()
    gained = (~pairs["success_random"] & pairs["success_oracle"]).sum()
    print(f"{len(pairs)} pairs: the oracle lost {lost} and gained {gained}")

    comparison = rtbench.compare([runs["random"].path, runs["oracle"].path])
    (overall,) = comparison.by("overall")
    low, high = overall.interval
    print(f"difference {overall.difference:+.2f}, 95 % CI {low:+.2f} to {high:+.2f}")
    print(f"McNemar's p {overall.p:.3g}")
    assert (overall.lost, overall.gained) == (lost, gained)
