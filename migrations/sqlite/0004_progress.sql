DROP INDEX `events_of_principal`;--> statement-breakpoint
CREATE INDEX `events_of_principal` ON `events` (`principal`,`seq`) WHERE "type" <> 'task_progress';--> statement-breakpoint
CREATE INDEX `callbacks_hearing_progress` ON `callbacks` (`principal`,`task_id`) WHERE "subscription_id" is null and "status" = 'active' and instr("events", 'task_progress') > 0;