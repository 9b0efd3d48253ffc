// Work on many images, followed until it is over.
import {call} from "./api.js";

const FIRST_LOOK = 300, LONGEST = 2000, OVER = ["done", "stopped", "failed"];

export const images = (count) => (count === 1 ? "1 image" : `${count} images`);

/** How far a job has come, in words. */
export function told(job) {
  if (job.error) return job.error.detail;
  if (job.state === "counting") return job.matched ? `Counting: ${job.matched} …` : "Counting …";
  if (job.dry_run) return `${images(job.matched)} counted`;
  const failed = job.failed ? `, ${job.failed} could not be: ${job.errors[0].detail}` : "";
  const stopped = job.state === "stopped" ? "Stopped. " : "";
  return `${stopped}${job.done} of ${images(job.matched)} done${failed}${job.state === "running" ? " …" : ""}`;
}

/** Show a job by a bar and words until it is over, and return it as it is then. */
export async function follow(job, bar, said) {
  for (let pause = FIRST_LOOK; ; pause = Math.min(1.3 * pause, LONGEST)) {
    if (job.state === "counting") bar.removeAttribute("value");
    else Object.assign(bar, {max: job.matched || 1, value: job.done + job.failed});
    const words = told(job);
    if (said.textContent !== words) said.textContent = words;
    if (OVER.includes(job.state)) return job;
    await new Promise((resolve) => { setTimeout(resolve, pause); });
    // A connection that is lost comes back; the job goes on meanwhile.
    job = await call("GET", `/v1/jobs/${job.id}`).catch((error) => { if (error.status < 500) throw error; return job; });
  }
}
