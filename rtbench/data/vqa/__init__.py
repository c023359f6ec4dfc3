"""Makes vision-language data from the simulator and from text: pictures with questions and answers."""
