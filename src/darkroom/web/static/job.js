// The page of one job.
import {call} from "./api.js";
import {follow} from "./jobs.js";

const main = document.getElementById("job");
const job = await call("GET", `/v1/jobs/${main.dataset.id}`);
await follow(job, main.querySelector("progress"), document.getElementById("said"));
location.reload();
