// How long an order has taken, and when that is late. The thresholds are here and nowhere else.

import { duration, t } from "./texts.js";

/** Seconds that an order has waited. */
const WAITING = { amber: 5 * 60, red: 10 * 60 };
/** The share of its lease that is over: after all of it, the order goes back into the queue. */
const IN_HAND = { amber: 0.5, red: 0.8 };

let ahead = 0; // ms by which the shop's clock is ahead of this tablet's

/** Return the shop's time of now, in ms since the epoch. */
export function shopTime() {
  return Date.now() + ahead;
}

/** Set the clock by an order that was listed just now. */
export function setClock(order) {
  if (order !== undefined) {
    ahead = Date.parse(order.placed_at) + order.waited_seconds * 1000 - Date.now();
  }
}

/** Return the ms that an order in preparation has left until it goes back into the queue. */
export function leaseLeft(order) {
  return Date.parse(order.lease_expires_at) - shopTime();
}

/** Return how late an order is (`calm`, `amber` or `red`), and the same in words. */
export function lateness(order) {
  return order.status === "waiting" ? waiting(order) : inHand(order);
}

function waiting(order) {
  const seconds = secondsSince(order.placed_at);
  const level = levelOf(seconds, WAITING);
  return { level, text: t(`waiting_${level}`, { time: duration(seconds) }) };
}

function inHand(order) {
  const left = leaseLeft(order) / 1000;
  const level = levelOf(1 - left / secondsBetween(order.started_at, order.lease_expires_at), IN_HAND);
  const time = duration(secondsSince(order.started_at));
  return { level, text: t(`in_hand_${level}`, { time, left: duration(left) }) };
}

function levelOf(value, { amber, red }) {
  if (value >= red) return "red";
  return value >= amber ? "amber" : "calm";
}

function secondsSince(time) {
  return (shopTime() - Date.parse(time)) / 1000;
}

function secondsBetween(from, to) {
  return (Date.parse(to) - Date.parse(from)) / 1000;
}
