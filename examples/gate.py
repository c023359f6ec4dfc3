"""Pass or fail a candidate policy by a baseline, as a test of your own code would."""

import rtbench
from rtbench.analysis.gate import gate
from rtbench.analysis.verdict import Terms
from rtbench.result.scores import load_scores

if __name__ == "__main__":
    chosen = {"skills": ["pick", "knock_over", "open_drawer"], "limit": 12}
    baseline = rtbench.evaluate("oracle", "seen", **chosen)
    candidate = rtbench.evaluate("random", "seen", **chosen)

    # Passes where the candidate is less than 10 points worse, sure to 95 %.
    verdict = gate(load_scores(candidate.path), load_scores(baseline.path), Terms(margin=0.10, alpha=0.05))
    print(verdict.sentence)
    for remark in verdict.remarks:
        print("-", remark)
    for flip in verdict.flips[:3]:
        print("lost:", flip.instruction, "| see it:", flip.see[1])
    # 0 pass, 1 regression, 3 inconclusive, 5 too many errors. A script for CI ends with sys.exit(code).
    print("exit code:", int(verdict.exit_code))
