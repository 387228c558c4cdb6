// msgpackr works without its addon when requiring it fails.
throw new Error("There is no addon here");
